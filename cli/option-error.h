/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_OPTION_ERROR_H
#define CLI_OPTION_ERROR_H

#include <getopt.h>
#include <stdbool.h>

/*
 * Print why getopt_long() returned '?' or ':', mostly in its own words; it
 * would print control characters as they are. first: optind before that call.
 */
void option_error(int result, char **argv, int first, bool blksum,
                  const struct option *options);

#endif
