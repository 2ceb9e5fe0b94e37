/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: reads and writes of disksum give less than was asked for, as they
 * may: by turns a single byte, some bytes, nothing (EINTR), and all. A regular
 * file that was opened for direct I/O gives whole sectors. Polls are
 * interrupted, too. A socket that does not block is not interrupted; packets,
 * and pipes that do not block, are left alone.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 4096

/* Set len to how much this call may do. False: it is interrupted. */
static bool next_turn(size_t *len, size_t unit, bool waits)
{
    static __thread unsigned turn;

    if (strcmp(program_invocation_short_name, "disksum") != 0)
        return true;
    switch (turn++ % 4) {
    case 0:
        errno = EINTR;
        return !waits;
    case 1:
        if (*len > unit)
            *len = unit;
        return true;
    case 2:
        if (*len > unit)
            *len = (turn * 7919 % (*len / unit) + 1) * unit;
        return true;
    default:
        return true;
    }
}

/* False: this call is interrupted. */
static bool may(int fd, size_t *len)
{
    int flags = fcntl(fd, F_GETFL), type;
    bool waits = !(flags & O_NONBLOCK);
    socklen_t size = sizeof(type);
    struct stat st;

    if (*len == 0 || flags < 0 || fstat(fd, &st) != 0)
        return true;
    if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
        return next_turn(len, flags & O_DIRECT ? SECTOR : 1, true);
    if (S_ISSOCK(st.st_mode))
        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
               type != SOCK_STREAM || next_turn(len, 1, waits);
    return !waits || next_turn(len, 1, true);
}

ssize_t read(int fd, void *buf, size_t len);
ssize_t pread64(int fd, void *buf, size_t len, off_t offset);
ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off_t offset,
                   int flags);
ssize_t write(int fd, const void *buf, size_t len);
ssize_t recv(int fd, void *buf, size_t len, int flags);
ssize_t send(int fd, const void *buf, size_t len, int flags);
int poll(struct pollfd *fds, nfds_t count, int timeout);

ssize_t read(int fd, void *buf, size_t len)
{
    ssize_t (*real)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");

    return may(fd, &len) ? real(fd, buf, len) : -1;
}

ssize_t pread64(int fd, void *buf, size_t len, off_t offset)
{
    ssize_t (*real)(int, void *, size_t, off_t) = dlsym(RTLD_NEXT, "pread64");

    return may(fd, &len) ? real(fd, buf, len, offset) : -1;
}

ssize_t preadv64v2(int fd, const struct iovec *iov, int count, off_t offset,
                   int flags)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t, int) =
        dlsym(RTLD_NEXT, "preadv64v2");
    struct iovec first = *iov;

    (void)count;
    return may(fd, &first.iov_len) ? real(fd, &first, 1, offset, flags) : -1;
}

ssize_t write(int fd, const void *buf, size_t len)
{
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");

    return may(fd, &len) ? real(fd, buf, len) : -1;
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
    ssize_t (*real)(int, void *, size_t, int) = dlsym(RTLD_NEXT, "recv");

    return may(fd, &len) ? real(fd, buf, len, flags) : -1;
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
    ssize_t (*real)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");

    return may(fd, &len) ? real(fd, buf, len, flags) : -1;
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int (*real)(struct pollfd *, nfds_t, int) = dlsym(RTLD_NEXT, "poll");
    size_t len = 1;

    return timeout == 0 || next_turn(&len, 1, true) ? real(fds, count, timeout)
                                                    : -1;
}
