/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_OPTION_ERROR_H
#define CLI_OPTION_ERROR_H

#include <getopt.h>

/*
 * Say why getopt_long() returned '?' or ':', in its own words, which it would
 * print as they are. argument: the one that it read last.
 */
void option_error(int result, const char *argument,
                  const struct option *options);

#endif
