/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images that are to be divided, of which none is open yet.
 */
#ifndef MPI_LARGE_IMAGES_H
#define MPI_LARGE_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct large_image {
    uint64_t index; /* among all images */
    uint64_t size;  /* of the disk */
};

/* All zeros at first. */
struct large_images {
    struct large_image *all;
    size_t count, room;
    uint64_t size; /* of all of them */
    bool sorted;
};

/* False when out of memory. */
bool large_images_add(struct large_images *l, uint64_t index, uint64_t size);

/* Take the largest one; of several, the first that the user named. There is
 * one. */
uint64_t large_images_take(struct large_images *l);

void large_images_free(struct large_images *l);

#endif
