/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COMMON_READ_H
#define COMMON_READ_H

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <unistd.h>

/* Read up to len bytes at an offset of a file: fewer only at its end. Returns
 * how many, or -1, with errno. */
static inline ssize_t pread_all(int fd, void *buf, size_t len, off_t offset)
{
    char *p = buf;
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, p + done, len - done, offset + (off_t)done);

        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0)
            done += (size_t)n;
    }
    return (ssize_t)done;
}

/* Read up to len bytes, as many as there are, and wait if there are none.
 * Whoever shares a pipe can make it non-blocking at any time. Returns how many,
 * 0 at the end, or -1, with errno. */
static inline ssize_t read_wait(int fd, void *buf, size_t len)
{
    ssize_t n;

    while ((n = read(fd, buf, len)) < 0) {
        if (errno == EAGAIN)
            poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1);
        else if (errno != EINTR)
            break;
    }
    return n;
}

#endif
