/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: a disk that takes SLOW_READ_SECONDS to answer each read that
 * touches the SLOW_READ_LENGTH bytes (1 by default) at SLOW_READ_OFFSET.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

static bool is_slow(off_t offset, size_t len)
{
    const char *length = getenv("SLOW_READ_LENGTH");
    off_t start = atoll(getenv("SLOW_READ_OFFSET"));
    off_t end = start + (length ? atoll(length) : 1);

    return offset < end && offset + (off_t)len > start;
}

ssize_t pread64(int fd, void *buf, size_t len, off_t offset);
ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off_t offset,
                   int flags);

ssize_t pread64(int fd, void *buf, size_t len, off_t offset)
{
    ssize_t (*real)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread64");
    unsigned left = atoi(getenv("SLOW_READ_SECONDS"));

    /* A signal ends a sleep, but no read of a disk. */
    while (is_slow(offset, len) && left)
        left = sleep(left);
    return real(fd, buf, len, offset);
}

/* Asked for what is in the page cache (RWF_NOWAIT): nothing is. */
ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off_t offset,
                   int flags)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t, int) =
        dlsym(RTLD_NEXT, "preadv64v2");

    if (!is_slow(offset, iov->iov_len))
        return real(fd, iov, count, offset, flags);
    errno = EAGAIN;
    return -1;
}
