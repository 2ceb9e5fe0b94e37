/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Buffered reads: tell the kernel which bytes will be read, and copy them from
 * the page cache when it is their turn. The disk reads all that was submitted
 * while the worker hashes what it has.
 */
#include "reader/queues.h"

#include <errno.h>
#include <stdlib.h>

struct ahead_queue {
    struct read_queue queue;
    struct read *first;
    struct read **last;
};

static void ahead_submit(struct read_queue *queue, struct read *reads,
                         size_t count)
{
    struct ahead_queue *q = (struct ahead_queue *)queue;

    for (size_t i = 0; i < count; i++) {
        struct read *read = &reads[i];

        if (read->done == read->len)
            continue;
        /* Only a hint: the read reports errors. */
        read->reader->ops->will_need(read->reader, read->offset + read->done,
                                     read->len - read->done);
        read->next = NULL;
        *q->last = read;
        q->last = &read->next;
    }
}

static struct read *ahead_reap(struct read_queue *queue, bool wait)
{
    struct ahead_queue *q = (struct ahead_queue *)queue;
    struct read *read = q->first;

    if (!wait || !read)
        return NULL;
    q->first = read->next;
    if (!q->first)
        q->last = &q->first;
    read->reader->ops->read_rest(read);
    return read;
}

static void ahead_free(struct read_queue *queue)
{
    free(queue);
}

static const struct read_queue_ops ahead_ops = {
    .name = "read-ahead",
    .submit = ahead_submit,
    .reap = ahead_reap,
    .free = ahead_free,
};

int ahead_queue_new(struct read_queue **queue)
{
    struct ahead_queue *q = calloc(1, sizeof(*q));

    if (!q)
        return ENOMEM;
    q->queue.ops = &ahead_ops;
    q->last = &q->first;
    *queue = &q->queue;
    return 0;
}
