/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reads that a worker has in flight, in queues: one for each group of
 * readers, made when a read of the group first has to wait. Few images have
 * readers of more than one group.
 */
#ifndef ENGINE_QUEUES_H
#define ENGINE_QUEUES_H

#include <stdbool.h>
#include <stddef.h>

#include "reader/reader.h"

struct group_queue;

/* All zeros at first, but for depth. */
struct queues {
    unsigned depth; /* reads that a queue is made for */
    struct group_queue *queues;
    size_t count;
};

/* Make the queues for those of count reads that are not finished. */
int queues_prepare(struct queues *q, const struct read *reads, size_t count,
                   struct error *error);

/* Start those of count reads that are not finished, after queues_prepare().
 * Returns how many; queues_reap() returns each of them. */
size_t queues_submit(struct queues *q, struct read *reads, size_t count);

/* The next read that is finished; NULL: none yet. With wait, which needs a read
 * in flight, it waits for one. */
struct read *queues_reap(struct queues *q, bool wait);

/* No reads may be in flight. */
void queues_free(struct queues *q);

#endif
