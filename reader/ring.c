/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Direct reads in flight by io_uring. No other file uses liburing.
 */
#include "reader/queues.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <liburing.h>

#include "reader/pread.h"

struct ring_queue {
    struct read_queue queue;
    struct io_uring ring;
    struct read *ready; /* finished without the ring */

    /* What the kernel has not taken yet, in order. The user data is the read.
     */
    struct io_uring_sqe **entries;
    unsigned entry_count;
};

/* The time between two looks at the completions, while the kernel refuses to
 * wait for one. */
#define TICK_MS 1

static void finish_waiting(struct ring_queue *q, struct read *read)
{
    pread_rest(read);
    read->next = q->ready;
    q->ready = read;
}

/* Give the kernel what it takes of the entries. wait: for a completion, too.
 * Returns 0, or a positive errno value if it took none. */
static int submit(struct ring_queue *q, bool wait)
{
    int taken = wait ? io_uring_submit_and_wait(&q->ring, 1)
                     : io_uring_submit(&q->ring);

    if (taken < 0)
        return -taken;
    q->entry_count -= taken;
    memmove(q->entries, q->entries + taken,
            q->entry_count * sizeof(q->entries[0]));
    return 0;
}

/* Read what the kernel has not taken, without the ring. Instead, it gets
 * entries that do nothing. */
static void take_back(struct ring_queue *q)
{
    for (unsigned i = 0; i < q->entry_count; i++) {
        struct read *read = (void *)(uintptr_t)q->entries[i]->user_data;

        if (!read)
            continue;
        io_uring_prep_nop(q->entries[i]);
        io_uring_sqe_set_data(q->entries[i], NULL);
        finish_waiting(q, read);
    }
}

/* Wait for a completion. If the kernel refuses that, as it may without memory,
 * those of the reads that it has still come. */
static void wait_for_completion(struct ring_queue *q)
{
    const struct timespec tick = { .tv_nsec = TICK_MS * 1000000 };
    int err = submit(q, true);

    if (!err || err == EINTR)
        return;
    take_back(q);
    if (!q->ready)
        nanosleep(&tick, NULL);
}

/* Start the rest of a read. Where the ring cannot be used, wait for it here:
 * for unaligned ends, which are few, and for everything when the kernel is out
 * of memory. */
static void start(struct ring_queue *q, struct read *read)
{
    uint64_t offset = read->offset + read->done;
    unsigned char *buf = read->buf + read->done;
    size_t len = read->len - read->done;
    struct io_uring_sqe *sqe;

    if (!is_direct(read->reader, offset, len, buf)) {
        finish_waiting(q, read);
        return;
    }
    sqe = io_uring_get_sqe(&q->ring);
    if (!sqe) {
        submit(q, false);
        sqe = io_uring_get_sqe(&q->ring);
    }
    if (!sqe) {
        finish_waiting(q, read);
        return;
    }
    io_uring_prep_read(sqe, reader_fd(read->reader), buf, len, offset);
    io_uring_sqe_set_data(sqe, read);
    q->entries[q->entry_count++] = sqe;
}

static void ring_submit(struct read_queue *queue, struct read *reads,
                        size_t count)
{
    struct ring_queue *q = (struct ring_queue *)queue;

    for (size_t i = 0; i < count; i++) {
        if (reads[i].done < reads[i].len)
            start(q, &reads[i]);
    }
    /* What the kernel does not take now goes with the next call. */
    submit(q, false);
}

/* Add a result to a read. Returns whether the read is finished; if not, it is
 * started again. */
static bool take_result(struct ring_queue *q, struct read *read, int result)
{
    if (result == -EINTR || result == -EAGAIN) {
        start(q, read);
        return false;
    }
    if (result < 0) {
        read->error = -result;
        return true;
    }
    read->done += result;
    if (result == 0 || read->done == read->len)
        return true;
    /* A read may end anywhere, not only at the end of the file: a block device
     * has sectors of 512 bytes. */
    start(q, read);
    return false;
}

static struct read *ring_reap(struct read_queue *queue, bool wait)
{
    struct ring_queue *q = (struct ring_queue *)queue;

    for (;;) {
        struct io_uring_cqe *cqe;
        struct read *read = q->ready;
        int result;

        if (read) {
            q->ready = read->next;
            return read;
        }
        if (io_uring_peek_cqe(&q->ring, &cqe) != 0) {
            if (!wait)
                return NULL;
            wait_for_completion(q);
            continue;
        }
        read = io_uring_cqe_get_data(cqe);
        result = cqe->res;
        io_uring_cqe_seen(&q->ring, cqe);
        if (!read)
            continue; /* was taken back */
        if (take_result(q, read, result))
            return read;
        submit(q, false);
    }
}

static void ring_free(struct read_queue *queue)
{
    struct ring_queue *q = (struct ring_queue *)queue;

    io_uring_queue_exit(&q->ring);
    free(q->entries);
    free(q);
}

static const struct read_queue_ops ring_ops = {
    .name = "io_uring",
    .submit = ring_submit,
    .reap = ring_reap,
    .free = ring_free,
};

/* A seccomp filter may allow to create a ring but not to use it, and kernels
 * before 5.6 have rings without plain reads. So try. */
static int check_ring(struct io_uring *ring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    bool reads = probe && io_uring_opcode_supported(probe, IORING_OP_READ);
    struct io_uring_cqe *cqe;
    int result;

    io_uring_free_probe(probe);
    if (!reads)
        return ENOSYS;
    io_uring_prep_nop(io_uring_get_sqe(ring));
    do
        result = io_uring_submit_and_wait(ring, 1);
    while (result == -EINTR);
    if (result < 0)
        return -result;
    if (io_uring_peek_cqe(ring, &cqe) != 0)
        return EIO;
    io_uring_cqe_seen(ring, cqe);
    return 0;
}

int ring_queue_new(unsigned depth, struct read_queue **queue)
{
    struct ring_queue *q = calloc(1, sizeof(*q));
    int err;

    if (!q)
        return ENOMEM;
    q->queue.ops = &ring_ops;
    err = -io_uring_queue_init(depth, &q->ring, 0);
    if (err) {
        free(q);
        return err;
    }
    err = check_ring(&q->ring);
    if (!err) {
        q->entries =
            malloc(io_uring_sq_space_left(&q->ring) * sizeof(q->entries[0]));
        err = q->entries ? 0 : ENOMEM;
    }
    if (err) {
        ring_free(&q->queue);
        return err;
    }
    *queue = &q->queue;
    return 0;
}
