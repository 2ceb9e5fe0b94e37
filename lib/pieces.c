/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/pieces.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The data of a piece. Smaller pieces share the work more evenly, larger ones
 * need the lock of the queue less often. */
#define PIECE_SIZE (256 * 1024)

/* Limits the memory for the digests of a piece if blocks are tiny. */
#define PIECE_BLOCKS 4096

/* The zero blocks that are added to the root in one step. A run of them can
 * take days, and the queue must be able to stop. */
#define STEP_SIZE (UINT64_C(16) << 30)
#define STEP_BLOCKS (1 << 18)

size_t piece_blocks(const struct pieces *p, const struct piece *piece)
{
    return piece->len / p->block_size;
}

/* --- hash --------------------------------------------------------------- */

/* Blocks of several pieces, and where their digests go. */
struct batch {
    const void *blocks[PIECES_BATCH_BLOCKS];
    unsigned char *mds[PIECES_BATCH_BLOCKS];
    size_t count;
};

static int batch_hash(struct pieces *p, struct batch *batch)
{
    unsigned char mds[PIECES_BATCH_BLOCKS * BLKHASH_MAX_MD_SIZE];
    int err =
        blkhash_leaf_hashv(p->leaf, batch->blocks, batch->count, mds, NULL);

    for (size_t i = 0; i < batch->count; i++)
        memcpy(batch->mds[i], mds + i * p->md_size, p->md_size);
    batch->count = 0;
    return err;
}

int pieces_hash(struct pieces *p, uint64_t first, uint64_t end)
{
    struct batch batch = { .count = 0 };
    int err = 0;

    for (uint64_t i = first; !err && i < end; i++) {
        struct piece *piece = piece_at(p, i);
        size_t blocks = piece_blocks(p, piece);
        size_t whole = blocks * p->block_size;

        for (size_t b = 0; !err && b < blocks; b++) {
            batch.blocks[batch.count] = piece->data + b * p->block_size;
            batch.mds[batch.count] = piece->mds + b * p->md_size;
            if (++batch.count == PIECES_BATCH_BLOCKS)
                err = batch_hash(p, &batch);
        }
        if (!err && whole < piece->len)
            err = blkhash_leaf_hash(p->leaf, piece->data + whole,
                                    piece->len - whole,
                                    piece->mds + blocks * p->md_size, NULL);
    }
    return err ? err : batch_hash(p, &batch);
}

/* --- commit ------------------------------------------------------------- */

static uint64_t step_blocks(const struct pieces *p)
{
    uint64_t blocks = STEP_SIZE / p->block_size;

    if (p->md_size == 0)
        return UINT64_MAX; /* "null" takes no time for them */
    return blocks < STEP_BLOCKS ? blocks : STEP_BLOCKS;
}

int piece_commit_step(struct pieces *p, struct piece *piece)
{
    uint64_t zeros = step_blocks(p);
    size_t count = piece_blocks(p, piece);
    int err;

    assert(piece->hashed);
    if (zeros > piece->zero_blocks)
        zeros = piece->zero_blocks;
    err = blkhash_root_zero(p->root, zeros);
    piece->zero_blocks -= zeros;
    if (err || piece->zero_blocks > 0)
        return err;

    if (piece->len % p->block_size)
        count++;
    return blkhash_root_digests(p->root, piece->mds, count);
}

/* --- begin and end ------------------------------------------------------ */

int pieces_init(struct pieces *p, struct blkhash_leaf *leaf,
                struct blkhash_root *root, size_t block_size, unsigned depth)
{
    size_t blocks = PIECE_SIZE / block_size;

    if (blocks == 0)
        blocks = 1;
    if (blocks > PIECE_BLOCKS)
        blocks = PIECE_BLOCKS;

    *p = (struct pieces){
        .leaf = leaf,
        .root = root,
        .block_size = block_size,
        .md_size = blkhash_leaf_md_size(leaf),
        .size = blocks * block_size,
        .depth = depth,
        .slots = calloc(depth, sizeof(struct piece)),
    };
    if (!p->slots)
        return ENOMEM;
    for (unsigned i = 0; i < depth; i++) {
        p->slots[i].copy = malloc(p->size);
        p->slots[i].mds = malloc(blocks * p->md_size);
        if (!p->slots[i].copy || !p->slots[i].mds)
            return ENOMEM;
    }
    return 0;
}

void pieces_destroy(struct pieces *p)
{
    for (unsigned i = 0; p->slots && i < p->depth; i++) {
        free(p->slots[i].copy);
        free(p->slots[i].mds);
    }
    free(p->slots);
}
