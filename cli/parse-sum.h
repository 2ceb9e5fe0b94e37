/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One line of a list of checksums:
 *
 *     hex  name                          also "hex *name"; what was computed is
 *                                        not in the line
 *     BLKHASH-SHA256-64K (name) = hex    written by --tag: sum-tag.h
 *     SHA256 (name) = hex                by cksum and others, with or without
 *                                        the blanks
 *     {"filename": "name", ...}          by --json: json-sum.h
 *
 * All but the last begin with a backslash if the name is escaped. A line is
 * accepted or rejected as by GNU's cksum.
 */
#ifndef CLI_PARSE_SUM_H
#define CLI_PARSE_SUM_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/sum.h"

/* The spacing of earlier lines. BSD's "hex name", with one blank, is never
 * mixed with "hex  name": a leading blank of a name would be ambiguous. Zero it
 * before the first line. Pass a copy, and keep it only if the line is accepted.
 */
struct sum_spacing {
    bool one;
    bool two;
};

/* Whether a line, which ends in a newline or a NUL, has a tag, rightly written
 * or not. */
bool sum_is_tagged(const char *text);

/*
 * Parse a line of len bytes, which ends in a NUL instead of a newline. EINVAL:
 * it is not a line of a list, and *why is the reason. ENOMEM.
 */
int sum_parse(char *line, size_t len, struct sum_spacing *spacing,
              struct sum *sum, const char **why);

#endif
