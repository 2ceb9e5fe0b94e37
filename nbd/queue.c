/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A read becomes as many commands as the server's limits demand, mostly one. A
 * server may refuse what is not aligned: then the blocks around the range are
 * read into memory of their own, and the range is copied.
 */
#include "nbd/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

struct nbd_queue {
    struct read_queue queue;
    struct nbd_connection *connection;
    const struct nbd_export *export;
    struct read *first; /* finished; under the connection's lock */
    struct read **last;
    bool any; /* there is a first */
};

struct transfer;

/* A part of a read: one command. */
struct part {
    struct nbd_command command;
    struct transfer *transfer;
    size_t at; /* in the read */
    size_t len;
    unsigned char *bounce; /* NULL: straight to the buffer */
    size_t before;         /* bytes of bounce before the part */

    /* What is asked for, and how far it came, from its start on. */
    uint64_t first;
    uint64_t last;
    uint64_t next;
    uint64_t fault; /* where the server could not read; or last */
    bool again;     /* it was asked for before */
};

/* A read in flight. Parts may be answered in any order. */
struct transfer {
    struct nbd_queue *queue;
    struct read *read;
    size_t done; /* up to the first part that failed */
    int error;   /* of that part */
    size_t left; /* parts */
    struct part parts[];
};

/* --- answers ------------------------------------------------------------ */

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

static void came(struct nbd_command *command, uint64_t offset, size_t len)
{
    struct part *part = (struct part *)command;

    if (len == 0 && offset >= part->first && offset < part->fault)
        part->fault = offset;
    else if (offset == part->next)
        part->next += len;
}

/* The answer came in parts that are not in order. Nothing is wrong with that,
 * but some bytes may have come twice, and others never: libnbd only counts. So
 * ask once more, over memory that does not have what was there before. */
static bool ask_again(struct part *part)
{
    struct read *read = part->transfer->read;
    size_t len = part->last - part->first;
    unsigned char *buf = part->bounce ? part->bounce : read->buf + part->at;

    if (part->next == part->last || part->again)
        return false;
    memset(buf, 0, len);
    part->again = true;
    nbd_connection_read(part->transfer->queue->connection, &part->command, buf,
                        len, part->first);
    return true;
}

static void note_error(struct part *part, int error)
{
    struct transfer *t = part->transfer;
    size_t at = part->at;

    if (at >= t->done)
        return;
    if (part->fault < part->last && part->fault > part->first + part->before)
        at += part->fault - part->first - part->before;
    t->done = at;
    t->error = error;
    t->read->reason = nbd_connection_reason(t->queue->connection);
}

static void answered(struct nbd_command *command, int error)
{
    struct part *part = (struct part *)command;
    struct transfer *t = part->transfer;

    if (error)
        note_error(part, error);
    else if (ask_again(part))
        return;
    else if (part->bounce)
        memcpy(t->read->buf + part->at, part->bounce + part->before, part->len);
    free(part->bounce);
    if (--t->left == 0)
        finish_transfer(t);
}

/* --- start -------------------------------------------------------------- */

/* Where a command ends that begins in the block of offset: the blocks up to
 * end, as far as the limit and the export go. */
static uint64_t command_end(const struct nbd_export *e, uint64_t offset,
                            uint64_t end)
{
    uint64_t start = offset - offset % e->least;

    if (end > start + e->most)
        return start + e->most;
    end = round_up(end, e->least);
    return end > e->size ? e->size : end;
}

static size_t count_parts(const struct nbd_export *e, uint64_t offset,
                          uint64_t end)
{
    size_t count = 0;

    while (offset < end) {
        offset = command_end(e, offset, end);
        count++;
    }
    return count;
}

/* Start the part at offset, which answered() may free. Its end. */
static uint64_t start_part(struct part *part, uint64_t offset, uint64_t end)
{
    const struct read *read = part->transfer->read;
    const struct nbd_queue *q = part->transfer->queue;
    uint64_t first = offset - offset % q->export->least;
    uint64_t last = command_end(q->export, offset, end);
    unsigned char *buf = read->buf + (offset - read->offset);

    if (end > last)
        end = last;
    part->command.answered = answered;
    part->command.came = came;
    part->first = part->next = first;
    part->last = part->fault = last;
    part->at = offset - read->offset;
    part->len = end - offset;
    if (first != offset || last != end) {
        part->before = offset - first;
        part->bounce = buf = malloc(last - first);
    }
    if (buf)
        nbd_connection_read(q->connection, &part->command, buf, last - first,
                            first);
    else
        answered(&part->command, ENOMEM);
    return end;
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
    t->left = count;
    for (size_t i = 0; i < count; i++) {
        t->parts[i].transfer = t;
        offset = start_part(&t->parts[i], offset, end);
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
