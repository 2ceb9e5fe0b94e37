/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: a process that takes its signals from a signalfd does so half a
 * second after the first of them, and then takes all that came.
 */
#include <dlfcn.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include <sys/signalfd.h>

static bool is_slow;

int signalfd(int fd, const sigset_t *set, int flags)
{
    int (*real)(int, const sigset_t *, int) = dlsym(RTLD_NEXT, "signalfd");

    is_slow = true;
    return real(fd, set, flags);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    int (*real)(struct pollfd *, nfds_t, int) = dlsym(RTLD_NEXT, "poll");
    int result = real(fds, count, timeout);

    if (is_slow && result > 0)
        usleep(500000);
    return result;
}
