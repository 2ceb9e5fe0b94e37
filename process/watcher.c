/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The watcher is the parent of the server, and the subreaper of all processes
 * that the server starts: a process whose parent ends becomes a child of the
 * watcher. So none of them gets away, neither by setsid() nor by a second
 * fork(). The watcher also makes the directory of the socket, so it knows what
 * to remove.
 *
 * It leads the process group of the server, so it receives the signals that the
 * terminal sends to the group. It blocks all signals: only SIGKILL ends it, and
 * then the kernel kills the server (PR_SET_PDEATHSIG).
 *
 * It learns that the owner is gone from the socket pair, which reaches its end
 * when no process has the owner's side open. Only the owner has.
 */
#include "process/watcher.h"

#include <assert.h>
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

/* The server gets this long to end, and is killed then. Processes that cannot
 * be killed, as they wait for a dead disk or belong to another user, are left
 * behind after as long again. */
#define STOP_MS (WATCHER_STOP_MS / 3)

/* A server that closed its connections may be about to end. */
#define ENDING_MS 200

/* The user interrupted the server. It gets this long to end by itself. */
#define INTERRUPTED_MS 1000

/* How long the children get to end before those that became children meanwhile
 * are looked for. */
#define ROUND_MS 20

/* The first descriptor of a server that is neither a standard stream nor the
 * socket. */
#define FREE_FD 4

/* The limit where there is neither close_range() nor /proc. */
#define MAX_FDS (1 << 20)

struct watcher {
    const struct watch_job *job;
    int fd;        /* the watcher's side of the socket pair */
    int signal_fd; /* SIGCHLD, and the signals of the terminal */
    int result_fd; /* why the server could not be executed, an int; or -1.
                    * It reaches its end when the server runs. */
    bool owner_gone;
    pid_t server; /* 0: not started, or it ended */
    struct watch_report report;
    struct private_socket socket;
    struct terminal terminal;
};

/* --- descriptors -------------------------------------------------------- */

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

/* Close what was inherited from the owner, the standard streams too: the
 * watcher must not keep a pipe of the user's open. Its own descriptors move to
 * the front. None of them is a standard stream, for those are open until then,
 * so no move overwrites a descriptor that has yet to move. Without one of them,
 * the watcher would wait for what never comes: so end. */
static void close_others(struct watcher *w)
{
    int *kept[] = { &w->fd, &w->signal_fd, &w->result_fd, &w->terminal.fd };
    int count = 0;

    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
        if (*kept[i] < 0)
            continue;
        *kept[i] = dup2(*kept[i], count++);
        if (*kept[i] < 0)
            w->owner_gone = true;
    }
    close_from(count);
}

/* --- children ----------------------------------------------------------- */

/* Wait for the children that ended. Returns whether any are left. */
static bool reap_children(struct watcher *w)
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

static void take_signals(struct watcher *w)
{
    struct signalfd_siginfo info;

    while (read(w->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo != SIGCHLD)
            terminal_signal(&w->terminal, &info);
    }
}

/* Wait for the end of the server, or of all children. Returns whether it came
 * in time. */
static bool wait_for_end(struct watcher *w, bool all, int milliseconds)
{
    int64_t deadline = deadline_in(milliseconds);

    while (reap_children(w) && (all || w->server)) {
        if (deadline_poll(w->signal_fd, POLLIN, deadline) != 0)
            return false;
        take_signals(w);
    }
    return true;
}

/* Send a signal to all children until none is left. Their children become ours
 * as they end. */
static void stop_children(struct watcher *w, int number)
{
    int64_t deadline = deadline_in(STOP_MS);

    while (reap_children(w) && deadline_left(deadline) != 0) {
        /* Without /proc, signal the group. The watcher is in it, too; a SIGKILL
         * is the last thing that it sends. */
        if (!descendants_signal(number))
            kill(0, number);
        wait_for_end(w, true, ROUND_MS);
    }
}

/* Ask the server to end; then kill what is left. */
static void stop_all(struct watcher *w)
{
    if (!reap_children(w))
        return;
    if (w->server) {
        kill(w->server, w->job->stop_signal);
        kill(w->server, SIGCONT);
        wait_for_end(w, false, STOP_MS);
    } else {
        stop_children(w, w->job->stop_signal);
    }
    stop_children(w, SIGKILL);
}

/* --- the server --------------------------------------------------------- */

/* In the new process. */
static _Noreturn void run_server(struct watcher *w, pid_t parent, int result_fd)
{
    int socket_fd;
    int err;

    /* Nobody else stops the server if the watcher is killed. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    close(w->fd); /* only the watcher has it: its end tells the owner */
    result_fd = fcntl(result_fd, F_DUPFD_CLOEXEC, FREE_FD);
    socket_fd = fcntl(w->socket.fd, F_DUPFD_CLOEXEC, FREE_FD);
    if (result_fd < 0)
        _exit(EXIT_FAILURE);
    err = socket_fd < 0 ? errno : w->job->execute(w->job->arg, socket_fd);
    if (write(result_fd, &err, sizeof(err)) < 0)
        _exit(EXIT_FAILURE);
    _exit(127);
}

static int start_server(struct watcher *w)
{
    pid_t self = getpid();
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return errno;
    w->server = fork();
    if (w->server == 0)
        run_server(w, self, fds[1]);
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

/* --- requests and reports ----------------------------------------------- */

/* An owner that does not get the report would wait for it: so end. */
static void send_report(struct watcher *w)
{
    if (send(w->fd, &w->report, sizeof(w->report), MSG_NOSIGNAL) < 0)
        w->owner_gone = true;
}

/* The server runs, or could not be executed: this ends WATCH_START. */
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
    bool starts = request == WATCH_START || request == WATCH_START_NAMED;

    /* The start comes first and once, and is over before the next request. */
    assert(starts == (w->report.pid == 0) && w->result_fd < 0);
    switch (request) {
    case WATCH_START:
        private_socket_unlink(&w->socket);
        /* fall through */
    case WATCH_START_NAMED:
        w->report.error = start_server(w);
        close_others(w);
        if (w->report.error)
            break;
        return; /* take_result() sends the report */
    case WATCH_RELEASE:
        private_socket_unlink(&w->socket);
        terminal_close(&w->terminal);
        break;
    case WATCH_CHECK:
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
        w->owner_gone = true;
}

static bool is_ignored(int number)
{
    struct sigaction action;

    return sigaction(number, NULL, &action) == 0 &&
           action.sa_handler == SIG_IGN;
}

/* The user interrupted the server and its owner. An owner that ignores the
 * signal, as we do then, goes on with its server. */
static void interrupt_owner(struct watcher *w)
{
    if (!wait_for_end(w, true, INTERRUPTED_MS) &&
        !is_ignored(w->terminal.interrupt))
        stop_all(w);
    terminal_interrupt(&w->terminal);
}

static void serve_owner(struct watcher *w)
{
    while (!w->owner_gone) {
        struct pollfd fds[] = {
            { .fd = w->fd, .events = POLLIN },
            { .fd = w->signal_fd, .events = POLLIN },
            { .fd = w->result_fd, .events = POLLIN },
        };
        int ready = poll(fds, ARRAY_SIZE(fds), terminal_timeout(&w->terminal));

        if (ready < 0) {
            /* Nothing can be waited for, not even the owner's end. */
            w->owner_gone = errno != EINTR;
            continue;
        }
        if (fds[1].revents) {
            take_signals(w);
            reap_children(w);
        }
        if (w->terminal.interrupt)
            interrupt_owner(w);
        if (ready == 0)
            terminal_tick(&w->terminal);
        if (fds[2].revents)
            take_result(w);
        if (fds[0].revents)
            take_request(w);
    }
}

/* --- the process -------------------------------------------------------- */

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

void watcher_run(int fd, pid_t owner, const struct watch_job *job)
{
    struct watcher w = { .job = job, .fd = fd, .result_fd = -1 };
    pid_t owner_group = getpgrp();

    setpgid(0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    /* Who kills all processes called "disksum" must not kill this one. */
    prctl(PR_SET_NAME, "nbd-watcher");
    w.signal_fd = make_signal_fd();
    w.report.error = w.signal_fd < 0 ? errno : private_socket_make(&w.socket);
    w.terminal.fd = -1;
    if (job->lends_terminal)
        terminal_open(&w.terminal, owner, owner_group);
    strcpy(w.report.path, w.socket.path);
    send_report(&w);
    serve_owner(&w);
    private_socket_unlink(&w.socket);
    terminal_close(&w.terminal);
    stop_all(&w);
    _exit(EXIT_SUCCESS);
}
