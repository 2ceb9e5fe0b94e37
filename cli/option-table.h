/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options of all groups.
 */
#ifndef CLI_OPTION_TABLE_H
#define CLI_OPTION_TABLE_H

#include <getopt.h>

#include "cli/option.h"

/* Option number n of all. NULL: there are fewer. */
const struct option_info *option_at(size_t n);

/* The letter of an option, or 0. Some letters mean other options in blksum. */
char option_letter(const struct option_info *info, bool blksum);

/* no_argument, optional_argument or required_argument. */
int option_argument(const struct option_info *info);

/* More than the number of options. */
#define OPTION_LIMIT 128

/* What getopt_long() takes. */
struct option_names {
    struct option names[OPTION_LIMIT + 1];
    char letters[2 * OPTION_LIMIT + 2];
};

void option_names_make(struct option_names *names, bool blksum);

/* The option of a result of getopt_long() that is not an error. */
const struct option_info *option_find(int result, bool blksum);

#endif
