/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines of a list of checksums, as GNU's sha256sum writes them. A name with a
 * backslash, newline or carriage return is escaped, and its line begins with a
 * backslash. If lines end in NUL, nothing is escaped. Secrets in names are
 * masked.
 */
#ifndef CLI_SUMS_H
#define CLI_SUMS_H

#include <stdio.h>

#include "cli/checksum.h"

/* "hex  name". */
void sums_write_plain(FILE *f, const struct options *o,
                      const struct checksum *c);

/* "BLKHASH-SHA256-64K (name) = hex". */
void sums_write_tag(FILE *f, const struct options *o, const struct checksum *c);

/* "name: verdict". The name is from a list, which is not trusted: on a
 * terminal, its control characters are escaped. */
void sums_write_verdict(FILE *f, const char *name, const char *verdict);

#endif
