/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: a disk with a bad sector. Reads that touch the byte at
 * READ_ERROR_OFFSET give what is before it, or EIO.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 4096

static off_t bad_byte(void)
{
    return strtoll(getenv("READ_ERROR_OFFSET"), NULL, 10);
}

/* How much of a read is good. Direct reads fail by sectors. */
static size_t good_part(int fd, off_t offset, size_t len)
{
    off_t bad = bad_byte();

    if (bad < offset || bad >= offset + (off_t)len)
        return len;
    if (fcntl(fd, F_GETFL) & O_DIRECT)
        bad -= bad % SECTOR;
    return bad - offset;
}

static ssize_t refuse(void)
{
    errno = EIO;
    return -1;
}

ssize_t pread64(int fd, void *buf, size_t len, off_t offset);
ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off_t offset,
                   int flags);
ssize_t read(int fd, void *buf, size_t len);

ssize_t pread64(int fd, void *buf, size_t len, off_t offset)
{
    ssize_t (*real)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread64");
    size_t good = good_part(fd, offset, len);

    return len && !good ? refuse() : real(fd, buf, good, offset);
}

/* Asked for what is in the page cache (RWF_NOWAIT): nothing is, for a bad
 * sector never gets there. */
ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off_t offset,
                   int flags)
{
    (void)fd;
    (void)iov;
    (void)count;
    (void)offset;
    (void)flags;
    errno = EAGAIN;
    return -1;
}

/* Standard input, a pipe. */
ssize_t read(int fd, void *buf, size_t len)
{
    static off_t position;
    ssize_t (*real)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
    size_t good = fd == STDIN_FILENO ? good_part(fd, position, len) : len;
    ssize_t n;

    if (len && !good)
        return refuse();
    n = real(fd, buf, good);
    if (fd == STDIN_FILENO && n > 0)
        position += n;
    return n;
}
