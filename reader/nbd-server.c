/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * systemd's socket activation: the server finds a socket that listens at
 * descriptor 3. libnbd can do that, too, but for a single connection. The
 * socket gets a name in a folder that only its owner can enter, and loses it
 * before the server starts, so there is nothing to leave behind, and nobody
 * else can connect. We do, by a descriptor of the socket's inode, whose name in
 * /proc needs no other; where there is no /proc, the name stays until all
 * connections are made.
 */
#include "reader/nbd-server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "reader/watch.h"

/* Where systemd's socket activation starts. */
#define LISTEN_FD 3

/* One that closes its socket is about to end. */
#define EXPLAIN_MS 200

#define TICK_MS 5

struct nbd_server {
    pid_t pid;   /* 0: none, or it ended */
    pid_t group; /* its process group; 0: none */
    struct watch watch;
    int status;
    int end_signal;
    int inode_fd; /* the socket's inode, or -1 */
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path) - 8];
    struct sockaddr_un address;
};

/* --- the socket --------------------------------------------------------- */

static int make_folder(struct nbd_server *s)
{
    static const char name[] = "disksum-XXXXXX";
    const char *parent = getenv("TMPDIR");

    if (!parent || strlen(parent) + sizeof(name) + 1 > sizeof(s->folder))
        parent = "/tmp";
    snprintf(s->folder, sizeof(s->folder), "%s/%s", parent, name);
    if (mkdtemp(s->folder))
        return 0;
    *s->folder = '\0';
    return errno;
}

static void remove_name(struct nbd_server *s)
{
    if (*s->folder) {
        unlink(s->address.sun_path);
        rmdir(s->folder);
    }
    *s->folder = '\0';
    *s->address.sun_path = '\0';
}

/* Let a descriptor take the place of the name. */
static void replace_name(struct nbd_server *s)
{
    char *path = s->address.sun_path;
    char link[32];

    s->inode_fd = open(path, O_PATH | O_CLOEXEC);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", s->inode_fd);
    if (s->inode_fd < 0 || access(link, F_OK) != 0)
        return;
    remove_name(s);
    strcpy(path, link);
}

static int bind_socket(struct nbd_server *s, int *fd)
{
    int err = make_folder(s);

    if (err)
        return err;
    s->address.sun_family = AF_UNIX;
    snprintf(s->address.sun_path, sizeof(s->address.sun_path), "%s/socket",
             s->folder);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return errno;
    if (bind(*fd, (struct sockaddr *)&s->address, sizeof(s->address)) == 0 &&
        listen(*fd, SOMAXCONN) == 0) {
        replace_name(s);
        return 0;
    }
    err = errno;
    close(*fd);
    return err;
}

/* No signal ends us while the socket has its name. */
static int make_socket(struct nbd_server *s, int *fd)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = bind_socket(s, fd);
    if (err)
        remove_name(s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

pid_t nbd_server_pid(const struct nbd_server *s)
{
    return s->pid;
}

const char *nbd_server_socket(const struct nbd_server *s)
{
    return s->address.sun_path;
}

void nbd_server_hide(struct nbd_server *s)
{
    remove_name(s);
    if (s->inode_fd >= 0)
        close(s->inode_fd);
    s->inode_fd = -1;
}

/* --- start -------------------------------------------------------------- */

static void set_environment(void)
{
    char pid[24];

    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    unsetenv("LISTEN_FDNAMES");
}

/* In the child: become the server. Only checksums go to stdout; stdin stays
 * ours, as nbdcopy has it. The signal on our death is for the moment before
 * there is a watcher. */
static void become(const struct nbd_server_options *o, pid_t parent,
                   int socket_fd, int result_fd)
{
    sigset_t none;
    int err;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, o->end_signal);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    dup2(o->error_fd, STDERR_FILENO); /* first: it may be one of the others */
    dup2(STDERR_FILENO, STDOUT_FILENO);
    set_environment();
    /* Both are above LISTEN_FD: they were moved there. */
    if (dup2(socket_fd, LISTEN_FD) == LISTEN_FD)
        execvp(o->command[0], o->command);
    err = errno;
    if (write(result_fd, &err, sizeof(err)) < 0)
        _exit(EXIT_FAILURE);
    _exit(127);
}

/* Move a descriptor out of the way of LISTEN_FD. */
static int move_up(int *fd)
{
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, LISTEN_FD + 1);

    if (moved < 0)
        return errno;
    close(*fd);
    *fd = moved;
    return 0;
}

/* 0, or why the command can not be run. */
static int start(struct nbd_server *s, const struct nbd_server_options *o,
                 int *socket_fd)
{
    pid_t parent = getpid();
    int fds[2];
    int err;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return errno;
    err = move_up(&fds[1]);
    if (!err)
        err = move_up(socket_fd);
    if (!err) {
        s->pid = fork();
        if (s->pid == 0)
            become(o, parent, *socket_fd, fds[1]);
        if (s->pid < 0) {
            err = errno;
            s->pid = 0;
        }
    }
    if (!err) {
        setpgid(s->pid, s->pid);
        err = watch_start(&s->watch, s->pid, s->end_signal);
        if (!err)
            s->group = s->pid;
    }
    close(fds[1]);
    /* The end of the pipe comes with the end of this program in the child. */
    if (!err && read(fds[0], &err, sizeof(err)) != sizeof(err))
        err = 0;
    close(fds[0]);
    return err;
}

static void say_not_run(const struct nbd_server_options *o, const char *name,
                        int err, struct error *error)
{
    bool missing = o->package && err == ENOENT;

    error_set(error, err, "%s: can not run '%s'%s%s: %s", name, o->command[0],
              missing ? ", of the package " : "", missing ? o->package : "",
              strerror(err));
}

int nbd_server_start(const struct nbd_server_options *o, const char *name,
                     struct nbd_server **server, struct error *error)
{
    struct nbd_server *s = calloc(1, sizeof(*s));
    int fd, err;

    if (!s)
        return error_set(error, ENOMEM, "%s: out of memory", name);
    s->inode_fd = -1;
    s->end_signal = o->end_signal;
    err = make_socket(s, &fd);
    if (err) {
        error_set(error, err, "%s: can not make a socket: %s", name,
                  strerror(err));
    } else {
        err = start(s, o, &fd);
        close(fd);
        if (err)
            say_not_run(o, name, err, error);
    }
    if (err) {
        nbd_server_stop(s);
        return err;
    }
    *server = s;
    return 0;
}

/* --- the end ------------------------------------------------------------ */

/* Whether the server ended, within some milliseconds. */
static bool has_ended(struct nbd_server *s, int milliseconds)
{
    const struct timespec tick = { .tv_nsec = TICK_MS * 1000000 };

    for (int left = milliseconds; s->pid; left -= TICK_MS) {
        pid_t pid = waitpid(s->pid, &s->status, WNOHANG);

        if (pid == s->pid || (pid < 0 && errno != EINTR))
            s->pid = 0;
        else if (left <= 0)
            return false;
        else
            nanosleep(&tick, NULL);
    }
    return true;
}

void nbd_server_explain(struct nbd_server *s, const char *name,
                        struct error *error)
{
    int err = error->code;

    if (!s->pid || !has_ended(s, EXPLAIN_MS))
        return;
    error_clear(error);
    if (WIFSIGNALED(s->status))
        error_set(error, err, "%s: the server was ended by signal %d (%s)",
                  name, WTERMSIG(s->status), strsignal(WTERMSIG(s->status)));
    else
        error_set(error, err, "%s: the server ended with exit status %d", name,
                  WEXITSTATUS(s->status));
}

void nbd_server_stop(struct nbd_server *s)
{
    if (!s)
        return;
    nbd_server_hide(s);
    if (s->pid) {
        kill(s->pid, s->end_signal);
        if (!has_ended(s, WATCH_STOP_MS)) {
            kill(s->pid, SIGKILL);
            waitpid(s->pid, &s->status, 0);
        }
    }
    /* Its children. */
    if (s->group)
        watch_end(&s->watch, s->group);
    free(s);
}
