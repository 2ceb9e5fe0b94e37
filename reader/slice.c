/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/slice.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "common/bytes.h"

struct slice {
    struct reader reader;
    struct reader_ops ops; /* what the whole has not, the slice has not either
                            */
    struct reader *whole;
};

static struct slice *to_slice(const struct reader *r)
{
    return (struct slice *)r;
}

/* Set the error of the whole, with the name of the slice. */
static int set_cause(const struct reader *r, struct error *cause,
                     struct error *error)
{
    const char *name = to_slice(r)->whole->name;
    int err = error_set(error, cause->code, "%s: %s", r->name,
                        error_message_without(cause, name));

    error_clear(cause);
    return err;
}

/* --- reads -------------------------------------------------------------- */

/* The same read, of the whole. */
static struct read to_whole(const struct read *read)
{
    const struct slice *s = to_slice(read->reader);
    struct read whole = *read;

    whole.reader = s->whole;
    whole.offset += s->reader.base;
    return whole;
}

static int slice_extent(struct reader *r, uint64_t offset, uint64_t length,
                        struct reader_extent *extent, struct error *error)
{
    struct reader *whole = to_slice(r)->whole;
    struct error cause = ERROR_INIT;

    whole->begin = r->base + r->begin;
    if (whole->ops->extent(whole, r->base + offset, length, extent, &cause))
        return set_cause(r, &cause, error);
    return 0;
}

static const unsigned char *slice_view(const struct read *read,
                                       struct window *w, bool keep)
{
    const struct read whole = to_whole(read);

    /* cppcheck-suppress returnDanglingLifetime ; it is in a mapping */
    return whole.reader->ops->view(&whole, w, keep);
}

static bool slice_try_read(struct read *read)
{
    struct read whole = to_whole(read);
    bool all = whole.reader->ops->try_read(&whole);

    read->done = whole.done;
    return all;
}

static void slice_read_rest(struct read *read)
{
    struct read whole = to_whole(read);

    whole.reader->ops->read_rest(&whole);
    read->done = whole.done;
    read->error = whole.error;
    read->reason = whole.reason;
}

static void slice_will_need(struct reader *r, uint64_t offset, uint64_t length)
{
    struct reader *whole = to_slice(r)->whole;

    whole->ops->will_need(whole, r->base + offset, length);
}

/* --- queues ------------------------------------------------------------- */

/* A queue of the whole. A read is one of the whole while it is in flight. */
struct slice_queue {
    struct read_queue queue;
    struct read_queue_ops ops; /* with the name of: */
    struct read_queue *whole;
    struct slice *slice;
};

static void slice_submit(struct read_queue *queue, struct read *reads,
                         size_t count)
{
    struct slice_queue *q = (struct slice_queue *)queue;

    for (size_t i = 0; i < count; i++) {
        if (reads[i].done < reads[i].len)
            reads[i] = to_whole(&reads[i]);
    }
    q->whole->ops->submit(q->whole, reads, count);
}

static struct read *slice_reap(struct read_queue *queue, bool wait)
{
    struct slice_queue *q = (struct slice_queue *)queue;
    struct read *read = q->whole->ops->reap(q->whole, wait);

    if (read) {
        read->reader = &q->slice->reader;
        read->offset -= q->slice->reader.base;
    }
    return read;
}

static void slice_queue_free(struct read_queue *queue)
{
    struct slice_queue *q = (struct slice_queue *)queue;

    q->whole->ops->free(q->whole);
    free(q);
}

static int slice_queue_new(struct reader *r, unsigned depth,
                           struct read_queue **queue, struct error *error)
{
    struct slice *s = to_slice(r);
    struct slice_queue *q = calloc(1, sizeof(*q));
    struct error cause = ERROR_INIT;

    if (!q)
        return error_no_memory(error, r->name);
    if (s->whole->ops->queue_new(s->whole, depth, &q->whole, &cause)) {
        free(q);
        return set_cause(r, &cause, error);
    }
    q->slice = s;
    q->ops = (struct read_queue_ops){
        .name = q->whole->ops->name,
        .submit = slice_submit,
        .reap = slice_reap,
        .free = slice_queue_free,
    };
    q->queue.ops = &q->ops;
    *queue = &q->queue;
    return 0;
}

/* --- the object --------------------------------------------------------- */

static int slice_check_unchanged(struct reader *r, struct error *error)
{
    struct reader *whole = to_slice(r)->whole;
    struct error cause = ERROR_INIT;
    int err = whole->ops->check_unchanged(whole, &cause);

    r->warning = whole->warning;
    whole->warning = NULL;
    return err ? set_cause(r, &cause, error) : 0;
}

static void slice_get_state(const struct reader *r, struct object_state *state)
{
    const struct reader *whole = to_slice(r)->whole;

    whole->ops->get_state(whole, state);
}

static void slice_close(struct reader *r)
{
    struct slice *s = to_slice(r);

    s->whole->ops->close(s->whole);
    free(r->name);
    free(s);
}

static const struct reader_ops slice_ops = {
    .extent = slice_extent,
    .view = slice_view,
    .try_read = slice_try_read,
    .read_rest = slice_read_rest,
    .will_need = slice_will_need,
    .queue_new = slice_queue_new,
    .check_unchanged = slice_check_unchanged,
    .get_state = slice_get_state,
    .close = slice_close,
};

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

int slice_open(struct reader *whole, uint64_t base, uint64_t size,
               const char *name, struct reader **slice, struct error *error)
{
    struct slice *s = calloc(1, sizeof(*s));

    assert(!sum_exceeds(base, size, whole->size) && !whole->base);
    if (s)
        s->reader.name = strdup(name);
    if (!s || !s->reader.name) {
        free(s);
        return error_no_memory(error, name);
    }
    s->whole = whole;
    s->ops = slice_ops;
    s->ops.early_end = whole->ops->early_end;
    if (!whole->ops->get_state)
        s->ops.get_state = NULL;

    s->reader.ops = &s->ops;
    s->reader.size = size;
    s->reader.base = base;
    s->reader.alignment = whole->alignment;
    s->reader.cached = whole->cached;
    s->reader.allocated = min(whole->allocated, size);
    s->reader.id = whole->id;
    s->reader.warning = whole->warning;
    s->reader.queue_group = s;
    whole->warning = NULL;
    *slice = &s->reader;
    return 0;
}
