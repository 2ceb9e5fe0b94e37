/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The watcher is the server's parent, and the subreaper of all that the server
 * starts: whoever loses his parent becomes the watcher's child. It makes the
 * socket's directory, so it knows what to remove, whenever we end. That it
 * learns from a socket between us and it: the end comes when all copies of our
 * side are closed, and there is one.
 *
 * It leads the process group of the server: the signals of the terminal that
 * the group gets it takes, too. It blocks them all, so only SIGKILL ends it,
 * and then the kernel kills the server (PR_SET_PDEATHSIG).
 */
#include "process/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/array.h"
#include "common/deadline.h"
#include "process/descendants.h"
#include "process/terminal.h"

/* What does not end when it is asked to is killed after so long; and what
 * cannot be killed (it waits for a dead disk, or is another user's) is left
 * after as long again. */
#define STOP_MS 5000

/* A server that closes its socket is about to end. */
#define ENDING_MS 200

/* Those whose parents ended are children now, and next. */
#define ROUND_MS 20

/* The first of a server's descriptors that is not standard or the socket. */
#define FREE_FD 4

/* Where there is neither close_range() nor /proc. */
#define MAX_FDS (1 << 20)

struct watcher {
    const struct watch_job *job;
    int fd;        /* to the process that is watched */
    int signal_fd; /* SIGCHLD, and the terminal's signals */
    int result_fd; /* of the server: an errno value, or the end if it runs */
    bool ours_gone;
    pid_t server; /* 0: none, or it ended */
    struct watch_report report;
    struct private_socket socket;
    struct terminal terminal;
};

/* --- what the watcher keeps open ---------------------------------------- */

/* close_range() came with Linux 5.9, and old seccomp filters refuse it. */
static void close_from(int first)
{
    DIR *dir;
    struct dirent *entry;

    if (close_range(first, ~0U, 0) == 0)
        return;
    dir = opendir("/proc/self/fd");
    if (dir) {
        while ((entry = readdir(dir))) {
            int fd = atoi(entry->d_name);

            if (fd >= first && fd != dirfd(dir))
                close(fd);
        }
        closedir(dir);
    } else {
        struct rlimit limit = { .rlim_cur = MAX_FDS };

        getrlimit(RLIMIT_NOFILE, &limit);
        for (int fd = first; fd < MAX_FDS && (rlim_t)fd < limit.rlim_cur; fd++)
            close(fd);
    }
}

/* Nothing of what we have open may be kept open by the watcher. What it needs
 * moves to the front: none of it is among the standard streams, which are
 * open, so only the last can be where it belongs. */
static void close_others(struct watcher *w)
{
    int *kept[] = { &w->fd, &w->signal_fd, &w->result_fd, &w->terminal.fd };
    int count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
        if (*kept[i] < 0)
            continue;
        *kept[i] = dup2(*kept[i], count++);
    }
    close_from(count);
}

/* --- the children ------------------------------------------------------- */

/* Wait for those that ended. Returns whether there are others. */
static bool has_children(struct watcher *w)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);

        if (pid == 0)
            return true;
        if (pid < 0 && errno != EINTR)
            return false;
        if (pid > 0 && pid == w->server) {
            w->server = 0;
            w->report.status = status;
        }
    }
}

/* Those that are there. */
static void take_signals(struct watcher *w)
{
    struct signalfd_siginfo info;

    while (read(w->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo != SIGCHLD)
            terminal_signal(&w->terminal, &info);
    }
}

/* Wait for the end of the server, or of all; returns whether it came. */
static bool wait_for_end(struct watcher *w, bool all, int milliseconds)
{
    int64_t deadline = deadline_in(milliseconds);

    while (has_children(w) && (all || w->server)) {
        if (deadline_poll(w->signal_fd, POLLIN, deadline) != 0)
            return false;
        take_signals(w);
    }
    return true;
}

/* Send a signal to all children, and to those who become that by the death of
 * their parents, until all are gone. */
static void end_children(struct watcher *w, int number)
{
    int64_t deadline = deadline_in(STOP_MS);

    while (has_children(w) && deadline_left(deadline) != 0) {
        /* Without /proc: this process is in the group, too, and the last. */
        if (!descendants_signal(number))
            kill(0, number);
        wait_for_end(w, true, ROUND_MS);
    }
}

/* End the server in good order, and then all that is left, at once. */
static void end_all(struct watcher *w)
{
    if (!has_children(w))
        return;
    if (w->server) {
        kill(w->server, w->job->end_signal);
        kill(w->server, SIGCONT);
        wait_for_end(w, false, STOP_MS);
    } else {
        end_children(w, w->job->end_signal);
    }
    end_children(w, SIGKILL);
}

/* --- the server --------------------------------------------------------- */

/* In the server to be. */
static void become(struct watcher *w, pid_t parent, int result_fd)
{
    int socket_fd;
    int err;

    /* The watcher would not end everything, if it were killed. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    close(w->fd); /* its end is the watcher's */
    result_fd = fcntl(result_fd, F_DUPFD_CLOEXEC, FREE_FD);
    socket_fd = fcntl(w->socket.fd, F_DUPFD_CLOEXEC, FREE_FD);
    if (result_fd < 0)
        _exit(EXIT_FAILURE);
    err = socket_fd < 0 ? errno : w->job->become(w->job->arg, socket_fd);
    if (write(result_fd, &err, sizeof(err)) < 0)
        _exit(EXIT_FAILURE);
    _exit(127);
}

static int run(struct watcher *w)
{
    pid_t self = getpid();
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return errno;
    w->server = fork();
    if (w->server == 0)
        become(w, self, fds[1]);
    if (w->server < 0) {
        int err = errno;

        w->server = 0;
        close(fds[0]);
        close(fds[1]);
        return err;
    }
    w->report.pid = w->server;
    w->result_fd = fds[0];
    return 0;
}

/* --- what it is asked --------------------------------------------------- */

static void send_report(struct watcher *w)
{
    send(w->fd, &w->report, sizeof(w->report), MSG_NOSIGNAL);
}

static void take_result(struct watcher *w)
{
    int err;

    if (read(w->result_fd, &err, sizeof(err)) == sizeof(err))
        w->report.error = err;
    close(w->result_fd);
    w->result_fd = -1;
    send_report(w);
}

static void serve(struct watcher *w, enum watch_request request)
{
    switch (request) {
    case WATCH_RUN:
        private_socket_remove_name(&w->socket);
        /* fall through */
    case WATCH_RUN_NAMED:
        w->report.error = run(w);
        close_others(w);
        if (w->report.error)
            break;
        return; /* the report comes with the result */
    case WATCH_CONNECTED:
        private_socket_remove_name(&w->socket);
        terminal_close(&w->terminal);
        break;
    case WATCH_HAS_ENDED:
        w->report.ended = wait_for_end(w, true, ENDING_MS);
        break;
    }
    send_report(w);
}

static void take_request(struct watcher *w)
{
    unsigned char request;
    ssize_t n = recv(w->fd, &request, sizeof(request), 0);

    if (n == sizeof(request))
        serve(w, request);
    else if (n == 0 || errno != EINTR)
        w->ours_gone = true;
}

static void watch(struct watcher *w)
{
    while (!w->ours_gone) {
        struct pollfd fds[] = {
            { .fd = w->fd, .events = POLLIN },
            { .fd = w->signal_fd, .events = POLLIN },
            { .fd = w->result_fd, .events = POLLIN },
        };
        int ready = poll(fds, ARRAY_SIZE(fds), terminal_timeout(&w->terminal));

        if (ready < 0)
            continue;
        if (fds[1].revents) {
            take_signals(w);
            has_children(w);
        }
        if (ready == 0)
            terminal_tick(&w->terminal);
        if (fds[2].revents)
            take_result(w);
        if (fds[0].revents)
            take_request(w);
    }
}

static int make_signal_fd(void)
{
    static const int numbers[] = { SIGCHLD, SIGHUP,  SIGINT,  SIGQUIT,
                                   SIGTSTP, SIGTTIN, SIGTTOU, SIGURG };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        sigaddset(&set, numbers[i]);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* All signals are blocked. */
static void watcher_main(int fd, pid_t parent, const struct watch_job *job)
{
    struct watcher w = { .job = job, .fd = fd, .result_fd = -1 };
    pid_t home = getpgrp();

    setpgid(0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    w.signal_fd = make_signal_fd();
    w.report.error = w.signal_fd < 0 ? errno : private_socket_make(&w.socket);
    w.terminal.fd = -1;
    if (job->lends_terminal)
        terminal_open(&w.terminal, parent, home);
    strcpy(w.report.path, w.socket.path);
    send_report(&w);
    watch(&w);
    private_socket_remove_name(&w.socket);
    terminal_close(&w.terminal);
    end_all(&w);
    _exit(EXIT_SUCCESS);
}

/* --- this side ---------------------------------------------------------- */

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
        watcher_main(fds[1], self, job);
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

int watch_wait(struct watch *w, int milliseconds, struct watch_report *report)
{
    int err = deadline_poll(w->fd, POLLIN, deadline_in(milliseconds));

    if (err)
        return err;
    if (recv(w->fd, report, sizeof(*report), 0) != sizeof(*report))
        return EPIPE;
    return report->error;
}

int watch_ask(struct watch *w, enum watch_request request, int milliseconds,
              struct watch_report *report)
{
    unsigned char byte = request;

    if (send(w->fd, &byte, sizeof(byte), MSG_NOSIGNAL) < 0)
        return errno;
    return watch_wait(w, milliseconds, report);
}

void watch_end(struct watch *w)
{
    struct watch_report ignored;
    int err;

    if (!w->pid)
        return;
    shutdown(w->fd, SHUT_WR);
    /* Its end is the end of its socket; reports may come before. */
    do
        err = watch_wait(w, 3 * STOP_MS, &ignored);
    while (err != EPIPE && err != ETIMEDOUT);
    while (waitpid(w->pid, NULL, err == EPIPE ? 0 : WNOHANG) < 0 &&
           errno == EINTR)
        ;
    close(w->fd);
    w->pid = 0;
}
