/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nbd/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/deadline.h"
#include "common/thread.h"

struct nbd_watchdog {
    int fd; /* of the socket, and our own: libnbd may close its one */
    int64_t deadline;
    int stop_fd; /* becomes readable when the thread has to end */
    pthread_t thread;
    bool has_thread;
};

static void *watch(void *arg)
{
    const struct nbd_watchdog *w = arg;

    /* If nobody can look at the clock, nobody may wait. */
    if (deadline_poll(w->stop_fd, POLLIN, w->deadline) != 0)
        shutdown(w->fd, SHUT_RDWR);
    return NULL;
}

/* Returns 0 or an errno value. */
static int set_blocking(int fd, bool blocks)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags == -1)
        return errno;
    flags = blocks ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    return fcntl(fd, F_SETFL, flags) == -1 ? errno : 0;
}

static int start_thread(struct nbd_watchdog *w)
{
    int err;

    w->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (w->stop_fd < 0)
        return errno;
    err = thread_start(&w->thread, watch, w);
    w->has_thread = err == 0;
    return err;
}

int nbd_watchdog_start(int fd, int64_t deadline, struct nbd_watchdog **watchdog)
{
    struct nbd_watchdog *w = malloc(sizeof(*w));
    int err = 0;

    if (!w)
        return ENOMEM;
    *w = (struct nbd_watchdog){ .deadline = deadline, .stop_fd = -1 };
    w->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (w->fd < 0)
        err = errno;
    else if (deadline != DEADLINE_NEVER)
        err = start_thread(w);
    if (!err)
        err = set_blocking(w->fd, true);
    if (err)
        (void)nbd_watchdog_stop(&w);
    else
        *watchdog = w;
    return err;
}

int nbd_watchdog_stop(struct nbd_watchdog **watchdog)
{
    struct nbd_watchdog *w = *watchdog;
    int err = 0;

    *watchdog = NULL;
    if (!w)
        return 0;
    if (w->has_thread) {
        eventfd_write(w->stop_fd, 1);
        pthread_join(w->thread, NULL);
    }
    if (w->stop_fd >= 0)
        close(w->stop_fd);
    if (w->fd >= 0) {
        err = set_blocking(w->fd, false);
        close(w->fd);
    }
    free(w);
    return err;
}
