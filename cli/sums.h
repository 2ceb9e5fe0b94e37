/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_SUMS_H
#define CLI_SUMS_H

#include <stdio.h>

/*
 * Write one line of a list: "hex  name". As in GNU's sha256sum, a name with a
 * backslash, newline or carriage return is escaped, and the line then starts
 * with a backslash.
 */
void sums_write(FILE *f, const unsigned char *md, unsigned md_len,
                const char *name);

#endif
