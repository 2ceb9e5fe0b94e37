/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A read becomes as many requests as the block size constraints demand, mostly
 * one. A server may refuse what is not aligned to its minimum: then the whole
 * blocks around the range are read into a bounce buffer, and the range is
 * copied.
 */
#include "nbd/queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

struct nbd_queue {
    struct read_queue queue;
    struct nbd_connection *connection;
    const struct nbd_export *export;
    struct read *first; /* finished reads; under the connection's lock */
    struct read **last;
    bool any; /* there is a first */
};

struct transfer;

/* The parts of a read that are in flight at once. A server may allow no more
 * than 512 bytes for each, and what a request takes should be little against
 * its bytes. */
#define MAX_PARTS 128

/* A part of a read, which is one request. */
struct part {
    struct nbd_request request;
    struct transfer *transfer;
    size_t position; /* in the read */
    size_t len;
    unsigned char *bounce; /* NULL: the reply goes straight to the buffer */
    size_t bounce_skip;    /* bytes of it before the part */

    /* The range that is requested: offsets of the export. */
    uint64_t start;
    uint64_t end;
    uint64_t received_end; /* of the chunks that came in order */
    uint64_t error_offset; /* where the server could not read; or end */
    bool is_retry;
};

/* A read in flight. Its requests may complete in any order. */
struct transfer {
    struct nbd_queue *queue;
    struct read *read;
    uint64_t next; /* where the next part starts; offset of the export */
    uint64_t end;
    size_t done; /* up to the first part that failed */
    int error;   /* of that part */
    size_t pending;
    struct part parts[];
};

/* --- replies ------------------------------------------------------------ */

static void finish(struct nbd_queue *q, struct read *read)
{
    read->next = NULL;
    *q->last = read;
    q->last = &read->next;
    q->any = true;
}

static void finish_transfer(struct transfer *t)
{
    t->read->done = t->done;
    t->read->error = t->error;
    finish(t->queue, t->read);
    free(t);
}

static void note_chunk(struct nbd_request *request, uint64_t offset, size_t len)
{
    struct part *part = (struct part *)request;

    if (len == 0) {
        if (offset >= part->start && offset < part->error_offset)
            part->error_offset = offset;
        return;
    }
    /* libnbd ends the connection when a chunk is out of bounds. */
    assert(offset >= part->start && offset < part->end &&
           len <= part->end - offset);
    if (offset == part->received_end)
        part->received_end += len;
}

/* The protocol allows chunks in any order, but libnbd only counts their bytes:
 * some may have come twice and others not at all. So a read whose chunks were
 * not in order is requested once more, with a cleared buffer. */
static bool retry(struct part *part)
{
    struct read *read = part->transfer->read;
    size_t len = part->end - part->start;
    unsigned char *buf =
        part->bounce ? part->bounce : read->buf + part->position;

    if (part->received_end == part->end || part->is_retry)
        return false;
    memset(buf, 0, len);
    part->is_retry = true;
    nbd_connection_read(part->transfer->queue->connection, &part->request, buf,
                        len, part->start);
    return true;
}

static void note_error(struct part *part, int error)
{
    struct transfer *t = part->transfer;
    uint64_t start = part->start + part->bounce_skip;
    size_t position = part->position;

    if (position >= t->done)
        return;
    if (part->error_offset < part->end && part->error_offset > start)
        position += part->error_offset - start;
    t->done = position;
    t->error = error;
    t->read->reason = nbd_connection_reason(t->queue->connection);
}

static void start_part(struct part *part);

static void complete_part(struct nbd_request *request, int error)
{
    struct part *part = (struct part *)request;
    struct transfer *t = part->transfer;

    if (error)
        note_error(part, error);
    else if (retry(part))
        return;
    else if (part->bounce)
        memcpy(t->read->buf + part->position, part->bounce + part->bounce_skip,
               part->len);
    free(part->bounce);
    /* After an error the bytes beyond it do not matter. */
    if (t->next < t->end && !t->error) {
        start_part(part);
        return;
    }
    assert(t->pending > 0);
    if (--t->pending == 0)
        finish_transfer(t);
}

/* --- requests ----------------------------------------------------------- */

/* The end of the request that starts with the block of offset: the end of the
 * read, in whole blocks, but within the export and the length of a request. */
static uint64_t request_end(const struct nbd_export *e, uint64_t offset,
                            uint64_t read_end)
{
    uint64_t start = offset - offset % e->minimum;

    if (read_end > start + e->preferred_read)
        return start + e->preferred_read;
    read_end = round_up(read_end, e->minimum);
    return read_end > e->size ? e->size : read_end;
}

static size_t count_parts(const struct nbd_export *e, uint64_t offset,
                          uint64_t read_end)
{
    size_t count = 0;

    while (offset < read_end && count < MAX_PARTS) {
        offset = request_end(e, offset, read_end);
        count++;
    }
    return count;
}

/* Start the next part of the read. It may be gone by the end. */
static void start_part(struct part *part)
{
    struct transfer *t = part->transfer;
    const struct read *read = t->read;
    const struct nbd_queue *q = t->queue;
    uint64_t offset = t->next, read_end = t->end;
    uint64_t start = offset - offset % q->export->minimum;
    uint64_t end = request_end(q->export, offset, read_end);
    uint64_t part_end = end < read_end ? end : read_end;
    unsigned char *buf = read->buf + (offset - read->offset);

    t->next = part_end;
    *part = (struct part){ .transfer = t };
    part->request.on_completion = complete_part;
    part->request.on_chunk = note_chunk;
    part->start = part->received_end = start;
    part->end = part->error_offset = end;
    part->position = offset - read->offset;
    part->len = part_end - offset;
    if (start != offset || end != part_end) {
        part->bounce_skip = offset - start;
        part->bounce = buf = malloc(end - start);
    }
    if (buf)
        nbd_connection_read(q->connection, &part->request, buf, end - start,
                            start);
    else
        complete_part(&part->request, ENOMEM);
}

static void start(struct nbd_queue *q, struct read *read)
{
    uint64_t offset = read->offset + read->done;
    uint64_t end = read->offset + read->len;
    size_t count = count_parts(q->export, offset, end);
    struct transfer *t = calloc(1, sizeof(*t) + count * sizeof(t->parts[0]));

    if (!t) {
        read->error = ENOMEM;
        finish(q, read);
        return;
    }
    t->queue = q;
    t->read = read;
    t->done = read->len;
    t->next = offset;
    t->end = end;
    t->pending = count;
    for (size_t i = 0; i < count; i++) {
        t->parts[i].transfer = t;
        start_part(&t->parts[i]);
    }
}

/* --- queues ------------------------------------------------------------- */

static void nbd_submit(struct read_queue *queue, struct read *reads,
                       size_t count)
{
    struct nbd_queue *q = (struct nbd_queue *)queue;

    nbd_connection_lock(q->connection);
    for (size_t i = 0; i < count; i++) {
        if (reads[i].done < reads[i].len)
            start(q, &reads[i]);
    }
    nbd_connection_unlock(q->connection);
}

static struct read *nbd_reap(struct read_queue *queue, bool wait)
{
    struct nbd_queue *q = (struct nbd_queue *)queue;
    struct read *read;

    nbd_connection_lock(q->connection);
    if (wait)
        nbd_connection_wait(q->connection, &q->any);
    read = q->first;
    if (read) {
        q->first = read->next;
        if (!q->first) {
            q->last = &q->first;
            q->any = false;
        }
    }
    nbd_connection_unlock(q->connection);
    return read;
}

static void nbd_free(struct read_queue *queue)
{
    free(queue);
}

static const struct read_queue_ops nbd_queue_ops = {
    .name = "nbd",
    .submit = nbd_submit,
    .reap = nbd_reap,
    .free = nbd_free,
};

static void init(struct nbd_queue *q, struct nbd_connection *connection,
                 const struct nbd_export *export)
{
    *q = (struct nbd_queue){
        .queue.ops = &nbd_queue_ops,
        .connection = connection,
        .export = export,
        .last = &q->first,
    };
}

int nbd_queue_new(struct nbd_connection *connection,
                  const struct nbd_export *export, struct read_queue **queue)
{
    struct nbd_queue *q = malloc(sizeof(*q));

    if (!q)
        return ENOMEM;
    init(q, connection, export);
    *queue = &q->queue;
    return 0;
}

void nbd_queue_read(struct nbd_connection *connection,
                    const struct nbd_export *export, struct read *read)
{
    struct nbd_queue q;

    if (read->done == read->len)
        return;
    init(&q, connection, export);
    nbd_submit(&q.queue, read, 1);
    nbd_reap(&q.queue, true);
}
