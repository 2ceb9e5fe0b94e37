/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many workers and slots there are, and how large: what the options ask
 * for, as far as memory stays bounded whatever an image asks for.
 */
#ifndef ENGINE_SIZES_H
#define ENGINE_SIZES_H

#include <stddef.h>

#include "engine/engine.h"

struct sizes {
    unsigned threads;
    unsigned queue_depth; /* slots in flight for each worker */
    size_t slot_blocks;   /* blocks of data in a slot */
    size_t slot_size;     /* the same in bytes */
    size_t round_size;    /* memory for a round of reads of a job */
    size_t known_blocks;  /* known digests in a slot */
};

/* Choose for an image; NULL: for a pipe. */
void sizes_choose(struct sizes *sizes, const struct engine_options *options,
                  const struct image *image);

/* Choose to compare two images. The sizes are those of a side of a pair. */
void sizes_choose_pair(struct sizes *sizes,
                       const struct engine_options *options,
                       const struct image *a, const struct image *b);

#endif
