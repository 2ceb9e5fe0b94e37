/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COMMON_WRITE_H
#define COMMON_WRITE_H

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <unistd.h>

/*
 * Write all bytes. Whoever shares a pipe, a socket or a terminal with this
 * process can make it non-blocking at any time, so wait while it is full.
 * Returns 0 or an errno value. Safe in signal handlers, but for errno.
 */
static inline int write_all(int fd, const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len > 0) {
        ssize_t n = write(fd, p, len);

        if (n >= 0) {
            p += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

/*
 * Write what there is room for now: a signal handler that ends the process must
 * not wait for whoever reads. Up to PIPE_BUF bytes are written or left out as a
 * whole, at least to a pipe. Nor does a reader that is gone matter, which would
 * be SIGPIPE.
 */
static inline void write_now(int fd, const void *bytes, size_t len)
{
    struct pollfd pfd = { .fd = fd, .events = POLLOUT };

    if (poll(&pfd, 1, 0) == 1 && pfd.revents == POLLOUT)
        (void)!write(fd, bytes, len);
}

#endif
