/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The content of a stream in pieces, which stand in a ring: piece i is in slot
 * i % depth. Here is what a piece is, and the work on it. Which thread does the
 * work, and when, is the queue's (queue.h).
 *
 * There is no locking here: a piece belongs to one thread at a time.
 */
#ifndef LIB_PIECES_H
#define LIB_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blkhash.h"
#include "lib/names.h"
#include "lib/sha256.h"

/* A worker takes pieces until it has this many blocks: one for each lane of the
 * widest kernel. */
#define PIECES_BATCH_BLOCKS SHA256_MAX_LANES

struct update;

/* A run of zero blocks, and data after it; either may be empty. */
struct piece {
    uint64_t zero_blocks;      /* not yet in the root */
    const unsigned char *data; /* copy, or a buffer of the update's */
    size_t len;                /* whole blocks, but for the last piece */
    struct update *update;     /* whose buffer data is; NULL: it is copy */
    unsigned char *copy;       /* owned, of pieces.size bytes */
    unsigned char *mds;        /* owned; the digests of data */
    bool hashed;               /* mds are complete */
};

/* Constant once made, but for the pieces themselves. */
struct pieces {
    struct blkhash_leaf *leaf;
    struct blkhash_root *root;
    size_t block_size;
    size_t md_size;
    size_t size;    /* the most bytes of data in a piece: whole blocks */
    unsigned depth; /* slots */
    struct piece *slots;
};

/* Takes neither leaf nor root; both must outlive the pieces. 0 or ENOMEM; to be
 * destroyed in either case. */
int pieces_init(struct pieces *p, struct blkhash_leaf *leaf,
                struct blkhash_root *root, size_t block_size, unsigned depth);
void pieces_destroy(struct pieces *p);

static inline struct piece *piece_at(const struct pieces *p, uint64_t i)
{
    return &p->slots[i % p->depth];
}

/* Whole blocks of data in a piece. */
size_t piece_blocks(const struct pieces *p, const struct piece *piece);

/* Hash the data of the pieces from first up to end, blocks of neighbours
 * together. 0 or a positive errno value. */
int pieces_hash(struct pieces *p, uint64_t first, uint64_t end);

/*
 * Put some of the piece's zero blocks into the root, or the rest of them and
 * then the digests of its data. The work of one call takes some milliseconds at
 * most. There is more to do while zero_blocks is not 0. 0 or a positive errno
 * value.
 */
int piece_commit_step(struct pieces *p, struct piece *piece);

#endif
