/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_OPTION_ERROR_H
#define CLI_OPTION_ERROR_H

#include <getopt.h>
#include <stdbool.h>

/*
 * Print why getopt_long() returned '?' or ':', in the words of GNU. It does not
 * print this itself because it would not escape control characters. first:
 * optind before that call.
 */
void option_error(int result, char **argv, int first, bool blksum,
                  const struct option *options);

#endif
