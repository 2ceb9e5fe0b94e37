/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * systemd's socket activation: the server gets a listening socket as descriptor
 * 3. libnbd can do that as well, but only for a single connection.
 *
 * The path of the socket is in a private directory, and is removed before the
 * server starts. So nothing is left behind, and no other process can connect.
 * disksum connects through an O_PATH descriptor of the socket's inode, by its
 * path in /proc. Where there is no /proc, the path of the socket stays until
 * all connections are made.
 *
 * The server is a child of the watcher: process/watch.h.
 */
#include "nbd/server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/array.h"
#include "common/debug.h"
#include "process/confine.h"
#include "process/terminal.h"
#include "process/watch.h"

/* SD_LISTEN_FDS_START of systemd. */
#define LISTEN_FD 3

/* The watcher does not take long for these requests. */
#define REPORT_MS 10000

struct nbd_server {
    struct watch watch;
    pid_t pid;
    int inode_fd; /* of the socket's inode, or -1 */
    char socket[sizeof(((struct watch_report *)0)->path)];
    char *program; /* for messages */

    char *(*explain)(int fd); /* or NULL */
    int messages_fd;          /* its stderr, or -1 */

    pthread_mutex_t lock; /* for the watch and the texts */
    char *exit_reason;    /* or NULL */
    char *explanation;    /* or NULL */
};

pid_t nbd_server_pid(const struct nbd_server *s)
{
    return s->pid;
}

const char *nbd_server_socket(const struct nbd_server *s)
{
    return s->socket;
}

static void close_inode(struct nbd_server *s)
{
    if (s->inode_fd >= 0)
        close(s->inode_fd);
    s->inode_fd = -1;
}

void nbd_server_finish_connecting(struct nbd_server *s)
{
    struct watch_report ignored;

    /* This comes first, so that the terminal is not lent again after the
     * watcher took it back. */
    terminal_withdraw();
    watch_ask(&s->watch, WATCH_RELEASE, REPORT_MS, &ignored);
    close_inode(s);
}

/* --- start -------------------------------------------------------------- */

/* Without these, a server would listen elsewhere. Returns 0 or a positive errno
 * value. */
static int set_environment(void)
{
    char pid[24];

    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    if (setenv("LISTEN_PID", pid, 1) != 0 || setenv("LISTEN_FDS", "1", 1) != 0)
        return errno;
    unsetenv("LISTEN_FDNAMES");
    return 0;
}

static bool may_keep(const char *variable)
{
    static const char *const kept[] = {
        "PATH=",        "LANG=",        "LC_",        "TZ=",
        "TMPDIR=",      "LD_",          "SSL_CERT_",  "http_proxy=",
        "https_proxy=", "HTTPS_PROXY=", "ftp_proxy=", "FTP_PROXY=",
        "all_proxy=",   "ALL_PROXY=",   "no_proxy=",  "NO_PROXY=",
    };

    for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
        if (strncmp(variable, kept[i], strlen(kept[i])) == 0)
            return true;
    }
    return false;
}

/* Forget variables that let a program act for the user, such as SSH_AUTH_SOCK.
 * Libraries know too many to list them, so keep those that are harmless. */
static void forget_user(void)
{
    char **to = environ;

    for (char **from = environ; *from; from++) {
        if (may_keep(*from))
            *to++ = *from;
    }
    *to = NULL;
}

/* In the new process: execute the server. Its stdout is its stderr, as only
 * checksums go to ours; its stdin is ours, as that of nbdcopy's servers is. */
static int execute(const void *options, int socket_fd)
{
    const struct nbd_server_options *o = options;
    sigset_t none;
    int err;

    /* stderr comes before LISTEN_FD, which its descriptor may be. */
    if (dup2(o->error_fd, STDERR_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0 ||
        dup2(socket_fd, LISTEN_FD) < 0)
        return errno;
    if (o->anonymous)
        forget_user();
    err = set_environment();
    if (err)
        return err;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    err = o->confined ? confine_server(o->network) : 0;
    if (o->confined && !err)
        bound_server_memory();
    if (err)
        return -err;
    execvp(o->command[0], o->command);
    return errno;
}

/* Use a descriptor in place of the path of the socket. */
static bool replace_path(struct nbd_server *s)
{
    char link[32];

    s->inode_fd = open(s->socket, O_PATH | O_CLOEXEC);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", s->inode_fd);
    if (s->inode_fd < 0 || access(link, F_OK) != 0)
        return false;
    strcpy(s->socket, link);
    return true;
}

static int set_socket_error(const struct nbd_server_options *o,
                            const char *name, int err, struct error *error)
{
    if (err == ETIMEDOUT)
        return error_set(error, err,
                         "%s: cannot create a socket in '%s': timed out "
                         "(--timeout is %u s)",
                         name, private_socket_parent(), o->timeout);
    return error_set(error, err, "%s: cannot create a socket in '%s': %s", name,
                     private_socket_parent(), strerror(err));
}

static int set_run_error(const struct nbd_server_options *o, const char *name,
                         int err, struct error *error)
{
    bool missing = o->package && err == ENOENT;

    if (err < 0)
        return error_set(error, -err,
                         "%s: cannot confine '%s' with a seccomp filter: %s",
                         name, o->command[0], strerror(-err));
    if (err == ETIMEDOUT)
        return error_set(error, err,
                         "%s: cannot run '%s': timed out (--timeout is %u s)",
                         name, o->command[0], o->timeout);
    return error_set(error, err, "%s: cannot run '%s'%s%s%s: %s", name,
                     o->command[0], missing ? " (package " : "",
                     missing ? o->package : "", missing ? ")" : "",
                     strerror(err));
}

static int start(struct nbd_server *s, const struct nbd_server_options *o,
                 const char *name, struct error *error)
{
    const struct watch_job job = {
        .execute = execute,
        .arg = o,
        .stop_signal = o->stop_signal,
        .lends_terminal = o->lends_terminal,
    };
    int milliseconds = o->timeout ? (int)o->timeout * 1000 : -1;
    struct watch_report report;
    int err = watch_start(&s->watch, &job);

    if (err)
        return set_run_error(o, name, err, error);
    err = watch_wait(&s->watch, milliseconds, &report);
    if (err)
        return set_socket_error(o, name, err, error);
    strcpy(s->socket, report.path);
    if (o->lends_terminal)
        terminal_offer(s->watch.pid);
    err =
        watch_ask(&s->watch, replace_path(s) ? WATCH_START : WATCH_START_NAMED,
                  milliseconds, &report);
    if (err)
        return set_run_error(o, name, err, error);
    s->pid = report.pid;
    debug(DEBUG_NBD, "server %ld: started: %s", (long)s->pid, o->command[0]);
    return 0;
}

int nbd_server_start(const struct nbd_server_options *o, const char *name,
                     struct nbd_server **server, struct error *error)
{
    struct nbd_server *s = calloc(1, sizeof(*s));
    int err;

    if (!s)
        return error_no_memory(error, name);
    pthread_mutex_init(&s->lock, NULL);
    s->inode_fd = s->messages_fd = -1;
    s->program = strdup(o->package ? o->command[0] : "the server");
    if (s->program)
        err = start(s, o, name, error);
    else
        err = error_no_memory(error, name);
    if (err)
        nbd_server_stop(s);
    else
        *server = s;
    return err;
}

/* --- what it writes ----------------------------------------------------- */

void nbd_server_explain_by(struct nbd_server *s, char *(*explain)(int fd),
                           int fd)
{
    s->explain = explain;
    s->messages_fd = fd;
}

const char *nbd_server_explanation(struct nbd_server *s)
{
    const char *text;

    pthread_mutex_lock(&s->lock);
    if (!s->explanation && s->explain)
        s->explanation = s->explain(s->messages_fd);
    text = s->explanation;
    pthread_mutex_unlock(&s->lock);
    return text;
}

/* --- the end ------------------------------------------------------------ */

static char *format_exit(const struct nbd_server *s, int status)
{
    char *text;
    int n;

    if (WIFSIGNALED(status))
        n = asprintf(&text, "%s was killed by signal %d (%s)", s->program,
                     WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        n = asprintf(&text, "%s exited with status %d", s->program,
                     WEXITSTATUS(status));
    return n < 0 ? NULL : text;
}

const char *nbd_server_exit_reason(struct nbd_server *s)
{
    struct watch_report report;
    const char *reason;

    pthread_mutex_lock(&s->lock);
    if (!s->exit_reason &&
        watch_ask(&s->watch, WATCH_CHECK, REPORT_MS, &report) == 0 &&
        report.ended)
        s->exit_reason = format_exit(s, report.status);
    reason = s->exit_reason;
    pthread_mutex_unlock(&s->lock);
    return reason;
}

void nbd_server_stop(struct nbd_server *s)
{
    if (!s)
        return;
    close_inode(s);
    terminal_withdraw();
    watch_stop(&s->watch);
    if (s->pid)
        debug(DEBUG_NBD, "server %ld: stopped", (long)s->pid);
    if (s->messages_fd >= 0)
        close(s->messages_fd);
    pthread_mutex_destroy(&s->lock);
    free(s->explanation);
    free(s->exit_reason);
    free(s->program);
    free(s);
}
