/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "process/watch.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/deadline.h"
#include "process/watcher.h"

int watch_start(struct watch *w, const struct watch_job *job)
{
    pid_t self = getpid();
    sigset_t all, before;
    int fds[2];
    int err;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
        return errno;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    w->pid = fork();
    if (w->pid == 0) {
        close(fds[0]);
        watcher_run(fds[1], self, job);
    }
    err = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(fds[1]);
    w->fd = fds[0];
    if (w->pid > 0)
        return 0;
    close(w->fd);
    w->pid = 0;
    return err;
}

/* Returns 0, ETIMEDOUT, EPIPE if the watcher is gone, or another error: that of
 * the wait, not of the report. */
static int receive(struct watch *w, int milliseconds,
                   struct watch_report *report)
{
    int err;

    assert(w->pid > 0);
    err = deadline_poll(w->fd, POLLIN, deadline_in(milliseconds));
    if (err)
        return err;
    if (recv(w->fd, report, sizeof(*report), 0) != sizeof(*report))
        return EPIPE;
    return 0;
}

int watch_wait(struct watch *w, int milliseconds, struct watch_report *report)
{
    int err = receive(w, milliseconds, report);

    return err ? err : report->error;
}

int watch_ask(struct watch *w, enum watch_request request, int milliseconds,
              struct watch_report *report)
{
    unsigned char byte = request;

    assert(w->pid > 0);
    if (send(w->fd, &byte, sizeof(byte), MSG_NOSIGNAL) < 0)
        return errno;
    return watch_wait(w, milliseconds, report);
}

void watch_stop(struct watch *w)
{
    struct watch_report ignored;
    int err;

    if (!w->pid)
        return;
    shutdown(w->fd, SHUT_WR);
    /* The end of file follows reports that nobody waited for. */
    do
        err = receive(w, WATCHER_STOP_MS, &ignored);
    while (!err);
    /* A watcher that does not end in time is left behind. */
    while (waitpid(w->pid, NULL, err == EPIPE ? 0 : WNOHANG) < 0 &&
           errno == EINTR)
        ;
    close(w->fd);
    w->pid = 0;
}
