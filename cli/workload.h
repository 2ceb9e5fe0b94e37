/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a call has to do, for its progress.
 */
#ifndef CLI_WORKLOAD_H
#define CLI_WORKLOAD_H

#include <stdint.h>

#include "cli/options.h"
#include "cli/sum.h"

/* Count the images that the operands are, or that the lists name if images are
 * checked, where a line of progress may be shown. A list is read for that, but
 * not a pipe. */
void workload_count(const struct options *o, char **names, int count);

/* The next one of them begins. sum: what a line of a list says of it; NULL: it
 * is an operand. */
void workload_next(const struct options *o, const char *name,
                   const struct sum *sum);

#endif
