/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which blocks of a list are data, and which are zeros: runs of blocks that
 * take turns. A run takes 8 bytes, so this is smaller than the list.
 */
#ifndef CLI_LIST_RANGES_H
#define CLI_LIST_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct list_ranges {
    uint64_t *blocks; /* of each run: zeros first, and there may be none */
    size_t count;
    size_t size; /* of the array */
};

/* Add blocks after the others. False when out of memory. Zero the struct before
 * the first. */
bool list_ranges_add(struct list_ranges *r, bool data, uint64_t blocks);

void list_ranges_free(struct list_ranges *r);

#endif
