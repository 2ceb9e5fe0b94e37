/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Verifying the images of lists. Verdicts, warnings and the exit status are
 * those of GNU's sha256sum -c.
 */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include <stdbool.h>

#include "cli/options.h"

/* Verify one list; "-" is standard input. False when anything in it failed. */
bool check_list(const struct options *o, const char *path);

#endif
