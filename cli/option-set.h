/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options of the program, which is disksum or disksum-mpi: each has a file
 * with its own.
 */
#ifndef CLI_OPTION_SET_H
#define CLI_OPTION_SET_H

#include "cli/option.h"

struct option_set {
    const struct option_group *const *groups;
    size_t count;
    /* Whether the program has an option of these groups. NULL: all of them. */
    bool (*takes)(const struct option_info *info);
    /* An option that can do without an argument takes none. */
    bool no_optional_arguments;
};

extern const struct option_set option_set;

#endif
