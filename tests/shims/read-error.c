/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: a disk with a bad sector, of READ_ERROR_LENGTH bytes (1 by
 * default) at READ_ERROR_OFFSET. Reads that touch it give what is before it, or
 * EIO; in a mapping, its pages are gone. READ_ERROR_FILE: the only file that is
 * meant. Without it, it is every file that is read by offset, and standard
 * input. READ_ERROR_AFTER: so many reads of the sector succeed before.
 * READ_ERROR_END: there is no bad sector, but the file ends there, whatever
 * fstat() says: as when another host has truncated it, or a device shrinks. For
 * io_uring see odd-ring.c.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 4096

static off_t number(const char *variable, off_t otherwise)
{
    const char *text = getenv(variable);

    return text ? strtoll(text, NULL, 10) : otherwise;
}

static bool is_meant(int fd, bool otherwise)
{
    const char *path = getenv("READ_ERROR_FILE");
    struct stat meant, st;

    if (!path)
        return otherwise;
    return stat(path, &meant) == 0 && fstat(fd, &st) == 0 &&
           st.st_dev == meant.st_dev && st.st_ino == meant.st_ino;
}

static bool is_end(void)
{
    return getenv("READ_ERROR_END") != NULL;
}

/* How much of a read is good. Direct reads fail by sectors. */
static size_t good_part(int fd, off_t offset, size_t len)
{
    static atomic_int reads;
    off_t bad = number("READ_ERROR_OFFSET", 0);
    off_t end = bad + number("READ_ERROR_LENGTH", 1);

    if (!is_end() && fcntl(fd, F_GETFL) & O_DIRECT)
        bad -= bad % SECTOR;
    if ((!is_end() && end <= offset) || bad >= offset + (off_t)len)
        return len;
    if (atomic_fetch_add(&reads, 1) < number("READ_ERROR_AFTER", 0))
        return len;
    return bad > offset ? bad - offset : 0;
}

static ssize_t refuse(int error)
{
    if (is_end())
        return 0;
    errno = error;
    return -1;
}

ssize_t pread64(int fd, void *buf, size_t len, off_t offset);
ssize_t preadv64(int fd, const struct iovec *iov, int count, off_t offset);
ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off_t offset,
                   int flags);
ssize_t read(int fd, void *buf, size_t len);
void *mmap64(void *address, size_t length, int protection, int flags, int fd,
             off_t offset);

ssize_t pread64(int fd, void *buf, size_t len, off_t offset)
{
    ssize_t (*real)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread64");
    size_t good = is_meant(fd, true) ? good_part(fd, offset, len) : len;
    ssize_t n;

    if (len && !good)
        return refuse(EIO);
    /* Direct I/O reads whole sectors only. */
    n = real(fd, buf, len, offset);
    return n > (ssize_t)good ? (ssize_t)good : n;
}

/* QEMU's reads into several buffers: from the first one on. */
ssize_t preadv64(int fd, const struct iovec *iov, int count, off_t offset)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t) =
        dlsym(RTLD_NEXT, "preadv64");
    size_t len = 0;

    for (int i = 0; i < count; i++)
        len += iov[i].iov_len;
    if (!is_meant(fd, true) || good_part(fd, offset, len) == len)
        return real(fd, iov, count, offset);
    return pread64(fd, iov->iov_base, iov->iov_len, offset);
}

/* Asked for what is in the page cache (RWF_NOWAIT): a bad sector never gets
 * there. */
ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off_t offset,
                   int flags)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t, int) =
        dlsym(RTLD_NEXT, "preadv64v2");
    struct iovec first = *iov;

    if (!is_meant(fd, true))
        return real(fd, iov, count, offset, flags);
    first.iov_len = good_part(fd, offset, first.iov_len);
    return first.iov_len ? real(fd, &first, 1, offset, flags) : refuse(EAGAIN);
}

/* Standard input may be a pipe. */
ssize_t read(int fd, void *buf, size_t len)
{
    static off_t position;
    ssize_t (*real)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
    off_t at;
    size_t good;
    ssize_t n;

    if (!is_meant(fd, fd == STDIN_FILENO))
        return real(fd, buf, len);
    at = lseek(fd, 0, SEEK_CUR);
    good = good_part(fd, at < 0 ? position : at, len);
    if (len && !good)
        return refuse(EIO);
    n = real(fd, buf, good);
    if (n > 0)
        position += n;
    return n;
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd,
             off_t offset)
{
    void *(*real)(void *, size_t, int, int, int, off_t) =
        dlsym(RTLD_NEXT, "mmap64");
    char *p = real(address, length, protection, flags, fd, offset);
    size_t good, page = sysconf(_SC_PAGESIZE);
    int nothing;

    if (p == MAP_FAILED || fd < 0 || !(flags & MAP_SHARED) ||
        !is_meant(fd, true))
        return p;
    good = good_part(fd, offset, length);
    if (good == length)
        return p;
    nothing = memfd_create("nothing", MFD_CLOEXEC);
    if (nothing < 0 || real(p + good / page * page, page, protection,
                            flags | MAP_FIXED, nothing, 0) == MAP_FAILED)
        abort();
    close(nothing);
    return p;
}
