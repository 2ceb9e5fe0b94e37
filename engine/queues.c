/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/queues.h"

#include <assert.h>
#include <stdlib.h>

struct group_queue {
    const void *group;
    struct read_queue *queue;
    size_t in_flight; /* reads */
};

static struct group_queue *find(struct queues *q, const void *group)
{
    for (size_t i = 0; i < q->count; i++) {
        if (q->queues[i].group == group)
            return &q->queues[i];
    }
    return NULL;
}

/* Make sure that the reader's group has a queue. */
static int need_queue(struct queues *q, struct reader *reader,
                      struct error *error)
{
    struct group_queue *queues, *added;
    int err;

    if (find(q, reader->queue_group))
        return 0;
    queues = realloc(q->queues, (q->count + 1) * sizeof(*queues));
    if (!queues)
        return error_no_memory(error, reader->name);
    q->queues = queues;
    added = &queues[q->count];
    *added = (struct group_queue){ .group = reader->queue_group };
    err = reader->ops->queue_new(reader, q->depth, &added->queue, error);
    if (!err)
        q->count++;
    return err;
}

static bool is_finished(const struct read *read)
{
    return read->done == read->len;
}

int queues_prepare(struct queues *q, const struct read *reads, size_t count,
                   struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_finished(&reads[i]) && need_queue(q, reads[i].reader, error))
            return error->code;
    }
    return 0;
}

size_t queues_submit(struct queues *q, struct read *reads, size_t count)
{
    struct read *end = reads + count;
    size_t started = 0;

    while (reads < end) {
        struct read *first = reads++;
        struct group_queue *g;

        if (is_finished(first))
            continue;
        g = find(q, first->reader->queue_group);
        assert(g);
        while (reads < end && !is_finished(reads) &&
               reads->reader->queue_group == g->group)
            reads++;
        g->in_flight += reads - first;
        started += reads - first;
        g->queue->ops->submit(g->queue, first, reads - first);
    }
    return started;
}

struct read *queues_reap(struct queues *q, bool wait)
{
    struct group_queue *busy = NULL;
    struct read *read = NULL;

    for (size_t i = 0; !read && i < q->count; i++) {
        struct group_queue *g = &q->queues[i];

        if (g->in_flight == 0)
            continue;
        busy = g;
        read = g->queue->ops->reap(g->queue, false);
    }
    assert(busy || !wait);
    /* Any busy queue will do: the reads of all have to finish some time. */
    if (!read && wait)
        read = busy->queue->ops->reap(busy->queue, true);
    if (read) {
        assert(busy && read->done <= read->len);
        busy->in_flight--;
        read_debug(read, busy->queue->ops->name);
    }
    return read;
}

void queues_free(struct queues *q)
{
    for (size_t i = 0; i < q->count; i++) {
        assert(q->queues[i].in_flight == 0);
        q->queues[i].queue->ops->free(q->queues[i].queue);
    }
    free(q->queues);
}
