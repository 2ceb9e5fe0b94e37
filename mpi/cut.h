/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cuts an image into pieces, from front to back: holes, which rank 0 knows
 * without a read, and slices, which are handed out.
 */
#ifndef MPI_CUT_H
#define MPI_CUT_H

#include <stdbool.h>
#include <stdint.h>

#include "image/image.h"

struct cut {
    struct image *image;
    struct image *other; /* compared with it; NULL: it is hashed */
    uint64_t size;       /* of the disk, or of the smaller one */
    uint64_t block_size;
    double max_seconds; /* to look at the map for a piece, or one extent */
    uint64_t offset;    /* where the next piece begins */
    uint64_t data;      /* bytes of the slices so far that are not in a hole */
};

struct piece {
    uint64_t first_block, blocks;
    bool hole;        /* whole blocks of zeros, on both disks */
    uint64_t digests; /* a slice: the most that it may have */
};

/* other: the image with which it is compared, or NULL. */
void cut_init(struct cut *c, struct image *image, struct image *other,
              uint64_t block_size);

bool cut_is_at_end(const struct cut *c);

/* About how many bytes are still to be read. */
uint64_t cut_left(const struct cut *c);

/* Get the next piece. A slice has up to `data` bytes that are not in a hole,
 * and at least a block; there may be small holes in it. A hole may go on in the
 * next piece. Not at the end. */
int cut_next(struct cut *c, uint64_t data, struct piece *piece,
             struct error *error);

#endif
