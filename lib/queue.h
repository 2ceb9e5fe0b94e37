/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The content as pieces in a ring: one thread fills them in order, worker
 * threads hash them in any order, and their digests enter the root in order.
 *
 *     committed <= taken <= filled <= committed + depth
 *
 * A piece belongs to the filling thread from queue_next() to queue_push(), to
 * one worker while it is hashed, and to the one committing thread after that.
 * Without worker threads the filling thread does their work: it hashes when
 * there is a block for every lane, or somebody waits, and commits when the ring
 * is full, and at the end.
 */
#ifndef LIB_QUEUE_H
#define LIB_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blkhash.h"
#include "lib/names.h"

struct queue;

/* The user of a caller's buffer: pieces of the buffer keep it busy. */
struct update {
    unsigned pieces; /* not yet hashed; under the queue's lock */
    bool asynchronous;
    void *user_data;
};

/* A run of zero blocks, and data after it; either may be empty. */
struct piece {
    uint64_t zero_blocks;      /* not yet committed */
    const unsigned char *data; /* copy, or a buffer of the update's */
    size_t len;                /* whole blocks, but for the last piece */
    struct update *update;     /* NULL: data is a copy */
    unsigned char *copy;       /* room of queue_piece_size() bytes */
    unsigned char *mds;
    bool hashed;
};

/* Takes neither leaf nor root; both must outlive it. threads and depth as in
 * the options. 0 or a positive errno value. */
int queue_new(struct blkhash_leaf *leaf, struct blkhash_root *root,
              size_t block_size, unsigned threads, unsigned depth,
              struct queue **queue);

/* Waits until no thread touches a piece, which is soon: what is left to be done
 * is not done. NULL is accepted. */
void queue_free(struct queue *q);

/* The most bytes of data in a piece: whole blocks. */
size_t queue_piece_size(const struct queue *q);

/* The first error of a worker; it stays. */
int queue_error(struct queue *q);

/* The next piece, to be filled; it is empty. Waits for a free one. */
struct piece *queue_next(struct queue *q);

/* Hand the piece of the last queue_next() to the workers. */
void queue_push(struct queue *q);

/* Wait until all pieces are committed, and return queue_error(). */
int queue_drain(struct queue *q);

/* Wait until no piece uses the buffer of the update. */
void queue_wait(struct queue *q, struct update *update);

/* --- asynchronous updates ----------------------------------------------- */

/* Start one; it holds back its completion until queue_update_end(). EAGAIN:
 * none is free; ENOMEM never. */
int queue_update_begin(struct queue *q, void *user_data,
                       struct update **update);
void queue_update_end(struct queue *q, struct update *update);

int queue_completion_fd(struct queue *q, int *fd);
unsigned queue_completions(struct queue *q, struct blkhash_completion *out,
                           unsigned max);

#endif
