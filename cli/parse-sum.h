/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One line of a list of checksums:
 *
 *     hex  name                          plain, also "hex *name"; digest and
 *                                        block size are not in the line
 *     BLKHASH-SHA256-64K (name) = hex    written by --tag
 *     {"filename": "name", ...}          written by --json
 *
 * The first two begin with a backslash when the name is escaped. What is and
 * what is not a line is as in GNU's sha256sum.
 */
#ifndef CLI_PARSE_SUM_H
#define CLI_PARSE_SUM_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/sum.h"

/* What earlier lines tell about later ones: BSD's "hex name", with one blank
 * only, is never mixed with "hex  name", for a leading blank of a name would
 * come and go. Zero it before the first line. Hand over a copy, and keep it
 * only if the line is accepted. */
struct sum_spacing {
    bool one;
    bool two;
};

/*
 * Read a line of len bytes, which has no newline at its end, and a NUL there.
 * EINVAL: it is none, and *why tells the reason. ENOMEM.
 */
int sum_parse(char *line, size_t len, struct sum_spacing *spacing,
              struct sum *sum, const char **why);

#endif
