/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: a client so slow that a server on the same machine has replied to
 * it before it looks.
 */
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static void wait_for_reply(void)
{
    int saved = errno;

    usleep(300 * 1000);
    errno = saved;
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    int (*real)(int, const struct sockaddr *, socklen_t) =
        dlsym(RTLD_NEXT, "connect");
    int r = real(fd, address, len);

    wait_for_reply();
    return r;
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
    ssize_t (*real)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
    ssize_t r = real(fd, buf, len, flags);

    wait_for_reply();
    return r;
}
