/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON lines: an object for each checksum of an image, or one if that failed.
 * The keys are those of "qemu-img info --output=json" where it has them.
 *
 * If a name is not UTF-8, "filename" has U+FFFD for each byte that is not, and
 * "filename-hex" has all bytes.
 */
#ifndef CLI_JSON_SUM_H
#define CLI_JSON_SUM_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/checksum.h"
#include "cli/json.h"
#include "cli/sum.h"
#include "cli/sums.h"

/* Add the keys that all checksums have. length: that of the disk. Without a
 * checksum, that key is left out. */
bool json_add_line(struct json_object *object, const struct sums_line *line,
                   uint64_t length);

/* Write an object that has only these. False when out of memory. */
bool json_write_line(FILE *f, const struct sums_line *line, uint64_t length);

/* Write the object of a checksum: what was found, or why there is none. The
 * line is that of checksum_line(). False when out of memory. */
bool json_write_sum(FILE *f, const struct options *o, const struct checksum *c,
                    const struct sums_line *line);

/* Read such an object. See sum_parse(). */
int json_parse_sum(const char *text, struct sum *sum, const char **why);

#endif
