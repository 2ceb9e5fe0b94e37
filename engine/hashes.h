/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All checksums of a run.
 */
#ifndef ENGINE_HASHES_H
#define ENGINE_HASHES_H

#include "engine/block-hash.h"
#include "engine/engine.h"
#include "engine/plain-hash.h"

struct hashes {
    size_t block_size; /* of slots: the largest one of a block hash */
    size_t smallest;   /* that of a block hash */
    size_t mds_size;   /* of the digests of a slot, of all block hashes */
    bool takes_bytes;  /* a lane does */

    struct lane *lanes[ENGINE_MAX_HASHES]; /* in the order of the options */
    unsigned count;
    struct block_hash blocks[ENGINE_MAX_HASHES];
    unsigned block_count;
    struct plain_hash plains[ENGINE_MAX_HASHES];
    unsigned plain_count;
};

/* The block size of slots, and the smallest one of a block hash. Without block
 * hashes, both are the default of the library. */
size_t hashes_block_size(const struct engine_options *options);
size_t hashes_smallest(const struct engine_options *options);

/* The most memory that a block of a slot needs for its digests. */
size_t hashes_block_memory(const struct engine_options *options);

/* Make all hashes of the options, or one for two images that are compared.
 * is_part: the disk is not hashed as a whole, so there is no checksum.
 * slot_blocks: blocks of data in a slot. Free them with hashes_free(), also
 * after an error. Errors: those of blkhash_leaf_new(). */
int hashes_init(struct hashes *h, const struct engine_options *options,
                const struct engine_input *input, bool is_part,
                size_t slot_blocks);
void hashes_init_pair(struct hashes *h, struct sink *const *sink,
                      size_t slot_blocks);
void hashes_free(struct hashes *h);

/* Nothing follows: get the checksums of so many bytes. */
int hashes_end(struct hashes *h, uint64_t length, struct engine_sum *sums,
               struct error *error);

#endif
