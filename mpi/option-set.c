/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options of disksum-mpi.
 */
#include "cli/option-set.h"

#include <string.h>

#include "common/array.h"
#include "mpi/options.h"

static const struct option_group *const groups[] = {
    &hash_options, &read_options, &print_options, &check_options,
    &list_options, &mpi_options,  &other_options,
};

/* Options of disksum that are about lists that exist, about what several ranks
 * cannot share, or about what one process does. */
static const char *const others[] = {
    "check",      "ignore-missing", "status", "strict",     "warn",
    "plain",      "expect",         "base",   "base-image", "bitmap",
    "changes",    "shard",          "merge",  "show",       "long-options",
    "queue-size", "cache",
};

static bool takes(const struct option_info *info)
{
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (strcmp(info->name, others[i]) == 0)
            return false;
    }
    return true;
}

const struct option_set option_set = {
    .groups = groups,
    .count = ARRAY_SIZE(groups),
    .takes = takes,
    /* That is the descriptor of --progress. mpirun passes none. */
    .no_optional_arguments = true,
};
