/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: a kernel that answers reads of io_uring as it may, and seldom
 * does. ODD_RING=short: with less than was asked for, down to a sector of 512
 * bytes; again: every other read with EAGAIN; error: with what is before the
 * bad sector of read-error.c, or EIO.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <liburing.h>

#define SECTOR 512
#define BAD_SECTOR 4096 /* as in read-error.c */

/* An open file whose reads fail with EIO, since nothing is mapped at address 0;
 * or, with READ_ERROR_END, an empty one. */
static int broken_file(void)
{
    static __thread int fd = -1;

    if (fd < 0)
        fd = open(getenv("READ_ERROR_END") ? "/dev/null" : "/proc/self/mem",
                  O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        abort();
    return fd;
}

static bool is_bad_file(int fd)
{
    const char *path = getenv("READ_ERROR_FILE");
    struct stat bad, st;

    return !path || (stat(path, &bad) == 0 && fstat(fd, &st) == 0 &&
                     st.st_dev == bad.st_dev && st.st_ino == bad.st_ino);
}

static void fail(struct io_uring_sqe *sqe)
{
    const char *length = getenv("READ_ERROR_LENGTH");
    unsigned long long bad = strtoull(getenv("READ_ERROR_OFFSET"), NULL, 10);
    unsigned long long end = bad + (length ? strtoull(length, NULL, 10) : 1);

    bad -= bad % BAD_SECTOR;
    if (getenv("READ_ERROR_END"))
        end = -1ULL;
    if (!is_bad_file(sqe->fd) || end <= sqe->off || bad >= sqe->off + sqe->len)
        return;
    if (bad > sqe->off) {
        sqe->len = bad - sqe->off;
        return;
    }
    sqe->fd = broken_file();
    sqe->off = 0;
}

static void change(struct io_uring_sqe *sqe, const char *how)
{
    static __thread unsigned count;
    static __thread int empty = -1;

    if (sqe->opcode != IORING_OP_READ)
        return;
    count++;
    if (strcmp(how, "error") == 0) {
        fail(sqe);
        return;
    }
    if (strcmp(how, "short") == 0) {
        unsigned sectors = sqe->len / SECTOR;

        sqe->len = (sectors - (count * 7) % sectors) * SECTOR;
        return;
    }
    if (count % 2 == 0)
        return;
    if (empty < 0) {
        int ends[2];

        if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
            abort();
        empty = ends[0];
    }
    sqe->fd = empty;
    sqe->rw_flags = RWF_NOWAIT; /* or the kernel waits */
    sqe->off = -1;
}

/* Change what waits to be submitted. */
static void change_all(struct io_uring *ring)
{
    struct io_uring_sq *sq = &ring->sq;

    for (unsigned i = sq->sqe_head; i != sq->sqe_tail; i++)
        change(&sq->sqes[i & sq->ring_mask], getenv("ODD_RING"));
}

int io_uring_submit(struct io_uring *ring)
{
    int (*real)(struct io_uring *) = dlsym(RTLD_NEXT, "io_uring_submit");

    change_all(ring);
    return real(ring);
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned count)
{
    int (*real)(struct io_uring *, unsigned) =
        dlsym(RTLD_NEXT, "io_uring_submit_and_wait");

    change_all(ring);
    return real(ring, count);
}
