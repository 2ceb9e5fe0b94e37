/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options that say how checksums are written, and how lists are checked.
 */
#ifndef CLI_LIST_OPTIONS_H
#define CLI_LIST_OPTIONS_H

#include <stdbool.h>

struct list_options {
    bool check;
    bool json;
    bool tag;
    bool zero;
    bool ignore_missing;
    bool quiet;
    bool status;
    bool strict;
    bool warn;
    const char *check_only; /* an option that was given: it is for check */
};

/* The long options that have no letter; out of the way of all others. */
enum {
    OPT_TAG = 512,
    OPT_JSON,
    OPT_OUTPUT,
    OPT_IGNORE_MISSING,
    OPT_STATUS,
    OPT_STRICT,
};

/* Take one option, as getopt_long() has it. False: a message was printed. */
bool list_option(struct list_options *l, int option, const char *arg);

/* Find options that exclude each other, when all are read. */
bool list_options_check(const struct list_options *l);

#endif
