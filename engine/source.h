/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is hashed or compared: an image (plan.c), a pipe (pipe.c), or a pair of
 * images (pair.c), as slots.
 *
 * Threads: next() is called by one thread at a time.
 */
#ifndef ENGINE_SOURCE_H
#define ENGINE_SOURCE_H

#include "engine/engine.h"
#include "engine/hashes.h"
#include "engine/job.h"
#include "engine/slot.h"

struct source {
    /*
     * Plan the next slot, and the reads of its job, or read the data itself.
     * Both are empty before; a slot of length 0 is the end. Returns 0 or a
     * positive errno value. After an error, the reads that were planned are
     * those before the fault, and next() is not called again.
     */
    int (*next)(struct source *source, struct slot *slot, struct job *job,
                struct error *error);
    void (*free)(struct source *source);
    const char *name;        /* for messages: that of the image */
    const char *second_name; /* of a pair: that of the second image */
    size_t block_size;
    uint64_t size; /* of what is hashed; 0: unknown before the end */
    struct lookalike lookalike; /* of a pipe that is probed, when it has been
                                 * read */
};

/* Whether all of an image is hashed. */
bool image_source_is_whole(const struct engine_input *input, size_t block_size);

/* known_room: how many known digests a slot can have. The hashes need not stay
 * in place. */
int image_source_new(const struct engine_input *input,
                     const struct hashes *hashes, size_t known_room,
                     struct source **source);
int pair_source_new(const struct engine_input *input, struct source **source);
int pipe_source_new(const struct engine_input *input, size_t block_size,
                    struct source **source);

#endif
