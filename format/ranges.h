/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ranges of a file that are in use: a new one is compared with all of them.
 */
#ifndef FORMAT_RANGES_H
#define FORMAT_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
    uint64_t start;
    uint64_t end; /* not less than start */
};

struct ranges {
    struct range *list;
    size_t count;
    size_t room; /* for so many in the list */
    bool sorted;
};

/* Add a range, whose end does not overflow. An empty one is left out. ENOMEM is
 * the only error. */
int ranges_add(struct ranges *ranges, uint64_t start, uint64_t length);

/* Sort the ranges, and join those that meet. Call it before the next
 * question, after the last of them was added. */
void ranges_sort(struct ranges *ranges);

/* Whether a range, which is not empty, overlaps one that was added. Its end
 * does not overflow. */
bool ranges_overlap(const struct ranges *ranges, uint64_t start,
                    uint64_t length);

/* The bytes of memory that they take. */
size_t ranges_memory(const struct ranges *ranges);

void ranges_free(struct ranges *ranges);

#endif
