/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A signal on the death of its parent (PR_SET_PDEATHSIG) reaches the server
 * alone, and it may have children, or take its time. So there is one more
 * process. It reads a pipe to which nobody writes: that ends with us.
 */
#include "reader/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 20

/* The watcher: nothing of what we have open may be kept open by it. */
static void watch(pid_t group, int fd, int end_signal)
{
    const struct timespec tick = { .tv_nsec = TICK_MS * 1000000 };
    sigset_t all;
    char byte;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    setpgid(0, group);
    if (dup2(fd, 0) != 0)
        _exit(EXIT_FAILURE);
    close_range(1, ~0U, 0);
    while (read(0, &byte, 1) < 0 && errno == EINTR)
        ;
    kill(group, end_signal);
    for (int left = WATCH_STOP_MS; left > 0 && kill(group, 0) == 0;
         left -= TICK_MS)
        nanosleep(&tick, NULL);
    kill(-group, SIGKILL);
    _exit(EXIT_SUCCESS);
}

int watch_start(struct watch *w, pid_t group, int end_signal)
{
    int fds[2];
    int err = 0;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return errno;
    w->pid = fork();
    if (w->pid == 0)
        watch(group, fds[0], end_signal);
    if (w->pid < 0)
        err = errno;
    close(fds[0]);
    if (err) {
        close(fds[1]);
        return err;
    }
    setpgid(w->pid, group);
    w->fd = fds[1];
    return 0;
}

void watch_end(struct watch *w, pid_t group)
{
    kill(-group, SIGKILL);
    kill(w->pid, SIGKILL);
    while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close(w->fd);
}
