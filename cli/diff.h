/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_DIFF_H
#define CLI_DIFF_H

#include "cli/options.h"

/* As of cmp and diff: 0 equal, 1 different, and: */
#define EXIT_TROUBLE 2

/* Compare the two operands, and print where they differ. Returns the exit
 * status. */
int diff_run(const struct options *o);

#endif
