/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A checksum of the digests of blocks. Workers compute the digests, in any
 * order; the lane gives them to the sinks.
 */
#ifndef ENGINE_BLOCK_HASH_H
#define ENGINE_BLOCK_HASH_H

#include "blkhash.h"
#include "engine/engine.h"
#include "engine/lane.h"
#include "list/sink.h"

struct block_hash {
    struct lane lane;          /* the first member */
    struct blkhash_leaf *leaf; /* NULL: two images are compared */
    size_t block_size;
    size_t scale; /* its blocks in a block of a slot */
    size_t md_size;
    size_t at; /* of its digests in those of a slot */

    struct sink *root;         /* NULL: there is no checksum */
    struct sink *const *sinks; /* more of them, of the caller */
    size_t sink_count;
};

/*
 * Make what computes the checksum of a disk, or with is_part what computes
 * digests without one. name: of the disk; it must stay in place. Free it with
 * block_hash_free(), also after an error. Errors: those of blkhash_leaf_new().
 */
int block_hash_init(struct block_hash *h, const struct engine_hash *hash,
                    bool is_part, const char *name);

/* For two images that are compared: the sink takes a byte for each sector, an
 * enum difference_kind, in the place of a digest. */
void block_hash_init_pair(struct block_hash *h, struct sink *const *sink);

void block_hash_free(struct block_hash *h);

#endif
