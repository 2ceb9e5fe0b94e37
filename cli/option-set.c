/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options of disksum.
 */
#include "cli/option-set.h"

#include "common/array.h"

static const struct option_group *const groups[] = {
    &hash_options,  &read_options, &print_options,
    &check_options, &list_options, &other_options,
};

const struct option_set option_set = {
    .groups = groups,
    .count = ARRAY_SIZE(groups),
};
