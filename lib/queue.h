/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The queue of a stream: one thread fills pieces in order, worker threads hash
 * them in any order, and their digests enter the root in order.
 *
 *     committed <= taken <= filled <= committed + depth
 *
 * Without worker threads the filling thread does their work: it hashes when
 * there is a block for each lane, or instead of waiting, and commits when the
 * ring is full, and at the end.
 *
 * All functions are for the filling thread, which is the one that uses the
 * stream.
 */
#ifndef LIB_QUEUE_H
#define LIB_QUEUE_H

#include <stddef.h>

#include "blkhash.h"
#include "lib/names.h"
#include "lib/pieces.h"
#include "lib/updates.h"

struct queue;

/* leaf and root belong to the caller, and must outlive the queue. threads and
 * depth are those of the options. Returns 0 or a positive errno value. */
int queue_new(struct blkhash_leaf *leaf, struct blkhash_root *root,
              size_t block_size, unsigned threads, unsigned depth,
              struct queue **queue);

/* Work that is left is not done; waits only until no thread uses a piece. NULL
 * is accepted. */
void queue_free(struct queue *q);

/* The maximum data of a piece: whole blocks. */
size_t queue_piece_size(const struct queue *q);

/* The first error, or 0. */
int queue_error(struct queue *q);

/* Get the next piece, which is empty, to fill it. Waits for a free slot. */
struct piece *queue_next(struct queue *q);

/* Give the piece of the last queue_next() to the workers. */
void queue_push(struct queue *q);

/* Wait until all pieces are committed. Returns queue_error(). */
int queue_drain(struct queue *q);

/* Wait until no piece uses the buffer of the update, which is not asynchronous.
 */
void queue_wait(struct queue *q, struct update *update);

/* --- asynchronous updates ----------------------------------------------- */

/* Begin an update. It is not completed before queue_update_end(). EAGAIN: there
 * are too many. */
int queue_update_begin(struct queue *q, void *user_data,
                       struct update **update);
void queue_update_end(struct queue *q, struct update *update);

/* blkhash_completion_fd() and blkhash_completions(). */
int queue_completion_fd(struct queue *q, int *fd);
unsigned queue_completions(struct queue *q, struct blkhash_completion *out,
                           unsigned max);

#endif
