/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * systemd's socket activation: the server finds a socket that listens at
 * descriptor 3. libnbd can do that, too, but for a single connection. The
 * socket has a name only until all connections are made, in a folder that only
 * its owner can enter, so there is little to leave behind, and nobody else can
 * connect.
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

/* Where systemd's socket activation starts. */
#define LISTEN_FD 3

/* A server that does not end when it is asked to is killed after so long. */
#define STOP_MS 5000

/* One that closes its socket is about to end. */
#define EXPLAIN_MS 200

#define TICK_MS 5

struct nbd_server {
    pid_t pid; /* 0: none */
    int status;
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

static int make_socket(struct nbd_server *s, int *fd)
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
        listen(*fd, SOMAXCONN) == 0)
        return 0;
    err = errno;
    close(*fd);
    return err;
}

const char *nbd_server_socket(const struct nbd_server *s)
{
    return s->address.sun_path;
}

void nbd_server_hide(struct nbd_server *s)
{
    if (*s->address.sun_path)
        unlink(s->address.sun_path);
    if (*s->folder)
        rmdir(s->folder);
    *s->folder = '\0';
    *s->address.sun_path = '\0';
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

/* In the child: become the server. Only checksums go to stdout. */
static void become(char *const *command, pid_t parent, int socket_fd,
                   int error_fd)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t none;
    int err;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    dup2(null, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    set_environment();
    /* Both are above LISTEN_FD: they were moved there. */
    if (dup2(socket_fd, LISTEN_FD) == LISTEN_FD)
        execvp(command[0], command);
    err = errno;
    if (write(error_fd, &err, sizeof(err)) < 0)
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
static int start(struct nbd_server *s, char *const *command, int *socket_fd)
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
            become(command, parent, *socket_fd, fds[1]);
        if (s->pid < 0) {
            err = errno;
            s->pid = 0;
        }
    }
    close(fds[1]);
    /* The end of the pipe comes with the end of this program in the child. */
    if (!err && read(fds[0], &err, sizeof(err)) != sizeof(err))
        err = 0;
    close(fds[0]);
    return err;
}

int nbd_server_start(char *const *command, const char *name,
                     struct nbd_server **server, struct error *error)
{
    struct nbd_server *s = calloc(1, sizeof(*s));
    int fd, err;

    if (!s)
        return error_set(error, ENOMEM, "%s: out of memory", name);
    err = make_socket(s, &fd);
    if (err) {
        error_set(error, err, "%s: can not make a socket: %s", name,
                  strerror(err));
    } else {
        err = start(s, command, &fd);
        close(fd);
        if (err)
            error_set(error, err, "%s: can not run '%s': %s", name, command[0],
                      strerror(err));
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
        kill(s->pid, SIGTERM);
        if (!has_ended(s, STOP_MS)) {
            kill(s->pid, SIGKILL);
            waitpid(s->pid, &s->status, 0);
        }
    }
    free(s);
}
