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

#include "cli/options.h"
#include "cli/sum.h"

struct sums_line {
    const char *name;
    struct sum_part part; /* in tags and JSON */
    const char *digest;
    unsigned hash;     /* its number among those of the image */
    size_t block_size; /* 0: plain, the digest of all bytes in one stream */
    const unsigned char *md;
    unsigned md_len;
};

/* Write "hex  name", or a line with a tag (sum-tag.h) if the options ask for
 * it. On a terminal, the control characters of the name are escaped. */
void sums_write(FILE *f, const struct list_options *o,
                const struct sums_line *line);

/* "name: verdict", or "name (snapshot=s1): verdict". The name is from a list,
 * so it is not trusted. */
void sums_write_verdict(FILE *f, const char *name, const struct sum_part *part,
                        const char *verdict);

#endif
