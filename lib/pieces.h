/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The content of a stream in pieces. They are in a ring: piece i is in slot
 * i % depth. This is what a piece is, and the work on it; the queue (queue.h)
 * decides which thread does the work, and when.
 *
 * Nothing is locked here: a piece belongs to one thread at a time.
 */
#ifndef LIB_PIECES_H
#define LIB_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blkhash.h"
#include "lib/names.h"
#include "lib/sha256.h"

/* A worker takes pieces until it has this many blocks, one for each lane of the
 * widest kernel. */
#define PIECES_BATCH_BLOCKS SHA256_MAX_LANES

struct update;

/* A run of zero blocks, and data after it; either may be empty. */
struct piece {
    uint64_t zero_blocks;      /* not yet in the root */
    const unsigned char *data; /* copy, or a buffer of the update's */
    size_t len;                /* whole blocks, but for the last piece */
    struct update *update;     /* that data belongs to; NULL: it is a copy */
    unsigned char *copy;       /* owned, of pieces.size bytes */
    unsigned char *mds;        /* owned; the digests of data */
    bool hashed;               /* mds are complete */
};

/* Constant once made, except for the pieces themselves. */
struct pieces {
    struct blkhash_leaf *leaf;
    struct blkhash_root *root;
    size_t block_size;
    size_t md_size;
    size_t size;    /* the maximum data of a piece: whole blocks */
    unsigned depth; /* slots */
    struct piece *slots;
};

/* leaf and root belong to the caller, and must outlive the pieces. Returns 0 or
 * ENOMEM; call pieces_destroy() in both cases. */
int pieces_init(struct pieces *p, struct blkhash_leaf *leaf,
                struct blkhash_root *root, size_t block_size, unsigned depth);
void pieces_destroy(struct pieces *p);

static inline struct piece *piece_at(const struct pieces *p, uint64_t i)
{
    return &p->slots[i % p->depth];
}

/* The number of whole blocks of data in a piece. */
size_t piece_blocks(const struct pieces *p, const struct piece *piece);

/* Hash the data of the pieces from first to end - 1, blocks of neighbouring
 * pieces together. 0 or a positive errno value. */
int pieces_hash(struct pieces *p, uint64_t first, uint64_t end);

/*
 * Add some zero blocks of the piece to the root, or the rest of them and then
 * the digests of its data. A call takes some milliseconds at most. If
 * zero_blocks is not 0 after it, there is more to do. 0 or a positive errno
 * value.
 */
int piece_commit_step(struct pieces *p, struct piece *piece);

#endif
