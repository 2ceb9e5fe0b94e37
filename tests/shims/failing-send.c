/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: a connection that ends when it hurts most. A thread that sends
 * while another one waits in poll() finds the connection reset. So one thread
 * notes the end of the connection while another drives it.
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>

static atomic_int polling;

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int (*real)(struct pollfd *, nfds_t, int) = dlsym(RTLD_NEXT, "poll");
    int ready;

    polling++;
    ready = real(fds, count, timeout);
    polling--;
    return ready;
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
    ssize_t (*real)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");

    if (polling) {
        errno = ECONNRESET;
        return -1;
    }
    return real(fd, buf, len, flags);
}
