/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The queue of a stream: one thread fills pieces in order, worker threads hash
 * them in any order, and their digests enter the root in order.
 *
 *     committed <= taken <= filled <= committed + depth
 *
 * Without worker threads the filling thread does their work: it hashes when
 * there is a block for every lane, or when it would wait, and commits when the
 * ring is full, and at the end.
 *
 * All functions are for the filling thread, which is whoever calls the stream.
 */
#ifndef LIB_QUEUE_H
#define LIB_QUEUE_H

#include <stddef.h>

#include "blkhash.h"
#include "lib/names.h"
#include "lib/pieces.h"
#include "lib/updates.h"

struct queue;

/* Takes neither leaf nor root; both must outlive it. threads and depth as in
 * the options. 0 or a positive errno value. */
int queue_new(struct blkhash_leaf *leaf, struct blkhash_root *root,
              size_t block_size, unsigned threads, unsigned depth,
              struct queue **queue);

/* Waits until no thread touches a piece, which is soon: work that is left is
 * not done. NULL is accepted. */
void queue_free(struct queue *q);

/* The most bytes of data in a piece: whole blocks. */
size_t queue_piece_size(const struct queue *q);

/* The first error of a worker; it stays. */
int queue_error(struct queue *q);

/* The next piece, to be filled; it is empty. Waits for a free slot. */
struct piece *queue_next(struct queue *q);

/* Hand the piece of the last queue_next() to the workers. */
void queue_push(struct queue *q);

/* Wait until all pieces are committed, and return queue_error(). */
int queue_drain(struct queue *q);

/* Wait until no piece uses the buffer of the update, which is not asynchronous.
 */
void queue_wait(struct queue *q, struct update *update);

/* --- asynchronous updates ----------------------------------------------- */

/* Begin one; its completion waits for queue_update_end(). EAGAIN: none is
 * free. */
int queue_update_begin(struct queue *q, void *user_data,
                       struct update **update);
void queue_update_end(struct queue *q, struct update *update);

/* As the functions of blkhash.h. */
int queue_completion_fd(struct queue *q, int *fd);
unsigned queue_completions(struct queue *q, struct blkhash_completion *out,
                           unsigned max);

#endif
