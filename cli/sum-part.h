/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which part of what a name names was hashed, as it is written and read in
 * tags and in JSON.
 */
#ifndef CLI_SUM_PART_H
#define CLI_SUM_PART_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json_object;

/* Zeros are the active disk as a whole. */
struct sum_part {
    const char *snapshot; /* as --snapshot has it; NULL: none */
    const char *member;   /* of an archive, which is the image; NULL: none */
    bool has_offset;
    uint64_t offset;
    bool has_length;
    uint64_t length;
};

/* Free the strings of a part that was read. */
void sum_part_clear(struct sum_part *part);

/* Write "snapshot=s1 offset=512", and `before` before that. False: it is all,
 * and nothing was written. */
bool sum_part_write(FILE *f, const struct sum_part *part, const char *before);

/*
 * Read one of these words. stage is 0 before the first of them, and is changed:
 * they have an order. Clear the part, also after an error. EINVAL: it is
 * something else. ENOMEM.
 */
int sum_part_parse(const char *text, unsigned *stage, struct sum_part *part);

/* Add the keys "snapshot", "member", "offset" and "length", those that there
 * are. False when out of memory. */
bool sum_part_add(struct json_object *object, const struct sum_part *part);

/* Get them. Clear the part, also after an error. EINVAL, ENOMEM. */
int sum_part_get(const struct json_object *object, struct sum_part *part);

#endif
