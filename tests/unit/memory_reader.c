/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct memory_queue {
    struct read_queue queue;
    struct memory_reader *m;
    struct read *list;
    size_t count;
};

static struct memory_reader *to_memory(const struct reader *r)
{
    return (struct memory_reader *)r;
}

static bool is_hole(const struct memory_reader *m, uint64_t offset)
{
    return m->holes && m->holes[offset / m->unit];
}

static int memory_extent(struct reader *r, uint64_t offset, uint64_t length,
                         struct reader_extent *extent, struct error *error)
{
    struct memory_reader *m = to_memory(r);
    uint64_t end = offset + length;

    m->extent_calls++;
    if (m->fail_extent == offset)
        return error_set(error, EIO, "%s: no extents", r->name);
    if (m->fail_extent > offset && m->fail_extent - offset < length)
        length = m->fail_extent - offset;
    extent->hole = is_hole(m, offset);
    if (m->holes) {
        end = (offset / m->unit + 1) * m->unit;
        while (!m->one_unit && end < offset + length &&
               is_hole(m, end) == extent->hole)
            end += m->unit;
    }
    extent->length = end - offset < length ? end - offset : length;
    return 0;
}

static const unsigned char *memory_view(const struct read *read,
                                        struct window *w, bool keep)
{
    (void)read;
    (void)w;
    (void)keep;
    return NULL;
}

static void read_bytes(struct read *read)
{
    const struct memory_reader *m = to_memory(read->reader);
    uint64_t end = read->offset + read->len;

    if (m->fail_from < end) {
        end = m->fail_from > read->offset ? m->fail_from : read->offset;
        read->error = EIO;
    }
    for (uint64_t at = read->offset; m->bad && at < end; at++) {
        if (m->bad[at / m->unit]) {
            end = at;
            read->error = EIO;
        }
    }
    if (m->fail_read >= read->offset && m->fail_read < end) {
        end = m->fail_read;
        read->error = EIO;
    }
    if (m->end < end)
        end = m->end > read->offset ? m->end : read->offset;
    memcpy(read->buf, m->bytes + read->offset, end - read->offset);
    read->done = end - read->offset;
}

static void memory_read_rest(struct read *read)
{
    __atomic_fetch_add(&to_memory(read->reader)->rest_calls, 1,
                       __ATOMIC_RELAXED); /* several threads find faults */
    read_bytes(read);
}

static bool memory_try_read(struct read *read)
{
    const struct memory_reader *m = to_memory(read->reader);

    if (!m->partial)
        return false;
    read->done = read->len / 3;
    memcpy(read->buf, m->bytes + read->offset, read->done);
    return read->done == read->len;
}

static void memory_submit(struct read_queue *queue, struct read *reads,
                          size_t count)
{
    struct memory_queue *q = (struct memory_queue *)queue;

    for (size_t i = 0; i < count; i++) {
        struct read **place = &q->list;

        if (reads[i].done == reads[i].len)
            continue;
        while (!q->m->reverse && *place)
            place = &(*place)->next;
        reads[i].next = *place;
        *place = &reads[i];
        q->count++;
    }
}

static struct read *memory_reap(struct read_queue *queue, bool wait)
{
    struct memory_queue *q = (struct memory_queue *)queue;
    struct memory_reader *m = q->m;
    struct read **place = &q->list;
    struct read *read;

    /* Nothing is ready until the caller waits, so as much as possible is in
     * flight. */
    if (!wait || !q->list)
        return NULL;
    for (size_t n = m->choose ? m->choose(m, q->count) : 0; n > 0; n--)
        place = &(*place)->next;
    read = *place;
    *place = read->next;
    q->count--;
    if (m->before)
        m->before(m, read);
    read_bytes(read);
    return read;
}

static void memory_queue_free(struct read_queue *queue)
{
    free(queue);
}

static const struct read_queue_ops memory_queue_ops = {
    .name = "memory",
    .submit = memory_submit,
    .reap = memory_reap,
    .free = memory_queue_free,
};

static int memory_queue_new(struct reader *r, unsigned depth,
                            struct read_queue **queue, struct error *error)
{
    struct memory_queue *q = calloc(1, sizeof(*q));

    (void)depth;
    if (!q)
        return error_no_memory(error, r->name);
    q->queue.ops = &memory_queue_ops;
    q->m = to_memory(r);
    *queue = &q->queue;
    return 0;
}

static int memory_check_unchanged(struct reader *r, struct error *error)
{
    if (to_memory(r)->changed)
        return error_set(error, EBUSY, "%s: changed", r->name);
    return 0;
}

static void memory_close(struct reader *r)
{
    (void)r;
}

static void memory_will_need(struct reader *r, uint64_t offset, uint64_t length)
{
    struct memory_reader *m = to_memory(r);

    (void)length;
    m->will_need_calls++;
    m->needed = offset;
}

static const struct reader_ops memory_ops = {
    .extent = memory_extent,
    .view = memory_view,
    .try_read = memory_try_read,
    .read_rest = memory_read_rest,
    .will_need = memory_will_need,
    .queue_new = memory_queue_new,
    .early_end = "memory is short",
    .check_unchanged = memory_check_unchanged,
    .close = memory_close,
};

void memory_reader_init(struct memory_reader *m, const void *bytes,
                        uint64_t size)
{
    static char name[] = "memory";

    *m = (struct memory_reader){
        .reader = { .ops = &memory_ops,
                    .name = name,
                    .size = size,
                    .alignment = 1 },
        .bytes = bytes,
        .fail_extent = NEVER,
        .fail_read = NEVER,
        .fail_from = NEVER,
        .end = NEVER,
    };
}
