/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * LD_PRELOAD: the n-th call of a kind fails. With FAILING_CALL set to the name
 * of the program, its main() is not called: a server takes orders from standard
 * input instead, a line each, and runs main() in a child for each of them, so
 * that programs are loaded once for thousands of runs. An order is
 *
 *     KIND N one|rest program|children DIRECTORY
 *
 * Of all calls of a kind, the N-th fails, or that one and the rest; 0: none. A
 * kind is one of functions (failing-call.c), or a cause for which system calls
 * fail (failing-syscall.c), such as "limit", or "limit:openat" for one of them.
 * The rest is then that of the same system call. Calls are counted in the
 * program itself, or in the processes that it forks, until these execute
 * another. main() runs in the directory. It finds what is in the
 * file "stdin" there in a pipe, or nothing, and its output goes to "stdout" and
 * "stderr". The server answers with two lines:
 *
 *     PID
 *     STATUS CALLS FAILED NAME
 *
 * the second when the process and all that it started are gone; CALLS is how
 * many calls of the kind there were, FAILED how many of them failed, and NAME
 * the system call that did.
 * FAILING_CALL_TRACE=1 writes to the server's stderr where the N-th call was
 * made, or which system call it was.
 *
 * A program that cannot be run in a child, since another has to start it, gets
 * one order in FAILING_CALL_ORDER:
 *
 *     KIND N one|rest FILE
 *
 * The kind is one of functions. Only calls by the program's own code and by
 * libblkhash count then, not those of other libraries. In the file are CALLS
 * and FAILED, two numbers of 64 bits.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "failing-call.h"
#include "failing-syscall.h"

/* The exit status where the kernel has no filter that asks another process. */
#define NO_FILTER 77

typedef int main_function(int argc, char **argv, char **environment);

static main_function *real_main;
static struct call_counts *counts;
static bool is_traced;

static void redirect(int fd, const char *path, int flags)
{
    int file = open(path, flags, 0600);

    if (file < 0 || dup2(file, fd) < 0)
        abort();
    close(file);
}

/* Put what is in a file into a pipe, and make that standard input. */
static void pipe_stdin(int file)
{
    char content[1 << 16];
    int ends[2];
    ssize_t len;

    if (pipe2(ends, 0) != 0 || fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) < 0)
        abort();
    while ((len = read(file, content, sizeof(content))) > 0) {
        if (write(ends[1], content, len) != len)
            abort();
    }
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    close(ends[1]);
    close(file);
}

static void prepare(const char *directory)
{
    int in;

    setsid();
    if (chdir(directory) != 0)
        abort();
    in = open("stdin", O_RDONLY);
    if (in >= 0)
        pipe_stdin(in);
    else
        redirect(STDIN_FILENO, "/dev/null", O_RDONLY);
    redirect(STDOUT_FILENO, "stdout", O_WRONLY | O_CREAT | O_TRUNC);
    redirect(STDERR_FILENO, "stderr", O_WRONLY | O_CREAT | O_TRUNC);
}

static int children_fd; /* readable when one of them has ended */

static sigset_t child_ended;

static void block_sigchld(int how)
{
    sigemptyset(&child_ended);
    sigaddset(&child_ended, SIGCHLD);
    sigprocmask(how, &child_ended, NULL);
}

/* Wait for the children that have ended by now. Returns whether there are
 * more. */
static bool reap(pid_t pid, int *status)
{
    struct signalfd_siginfo info;
    pid_t ended;
    int other;

    (void)!read(children_fd, &info, sizeof(info));
    while ((ended = waitpid(-1, &other, WNOHANG)) > 0) {
        if (ended == pid)
            *status = other;
    }
    return ended == 0;
}

/* Wait until a process and all that it left are gone. s->listener may be -1. */
static int wait_for(pid_t pid, struct syscalls *s)
{
    struct pollfd fds[] = {
        { .fd = children_fd, .events = POLLIN },
        { .fd = s->listener, .events = POLLIN },
    };
    bool more = true;
    int status = 0;

    while (more) {
        if (poll(fds, 2, -1) < 0)
            abort();
        if (fds[1].revents & POLLIN)
            syscalls_answer(s);
        else if (fds[1].revents) /* no process has the filter any more */
            fds[1].fd = -1;
        if (fds[0].revents)
            more = reap(pid, &status);
    }
    return status;
}

/* In the child: run main() as an order says. */
static int run(int argc, char **argv, char **environment, const struct order *o,
               const char *directory, int socket)
{
    const struct cause *cause = syscall_cause(o->kind);

    block_sigchld(SIG_UNBLOCK);
    close(children_fd);
    prepare(directory);
    if (cause && syscalls_begin(cause, socket) != 0)
        _exit(NO_FILTER);
    if (!cause)
        close(socket);
    calls_begin(o);
    return real_main(argc, argv, environment);
}

/* Do what an order says, and answer how that went. */
static void obey(int argc, char **argv, char **environment,
                 const struct order *o, const char *directory)
{
    struct syscalls s = { .order = o, .listener = -1, .trace = is_traced };
    int sockets[2], status;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
        abort();
    counts->calls = counts->failed = 0;
    s.program = fork();
    if (s.program == 0) {
        close(sockets[0]);
        exit(run(argc, argv, environment, o, directory, sockets[1]));
    }
    close(sockets[1]);
    printf("%d\n", s.program);
    fflush(stdout);
    s.cause = syscall_cause(o->kind);
    if (s.cause)
        s.listener = syscalls_listener(sockets[0]);
    close(sockets[0]);
    status = wait_for(s.program, &s);
    if (s.listener >= 0)
        close(s.listener);
    printf("%d %ld %ld %s\n", status, counts->calls + s.calls,
           counts->failed + s.failed, s.failing ? s.failing : "-");
    fflush(stdout);
}

static int serve(int argc, char **argv, char **environment)
{
    static char line[8192], kind[32], how[32], who[32], directory[4096];

    block_sigchld(SIG_BLOCK);
    children_fd = signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
    while (fgets(line, sizeof(line), stdin)) {
        struct order o = { .kind = kind };

        if (sscanf(line, "%31s %ld %31s %31s %4095[^\n]", kind, &o.number, how,
                   who, directory) != 5)
            abort();
        o.rest = strcmp(how, "rest") == 0;
        o.children = strcmp(who, "children") == 0;
        obey(argc, argv, environment, &o, directory);
    }
    _exit(0);
}

/* Let main() run here as an order says. */
static void obey_alone(const char *text)
{
    static char kind[32], how[32], file[4096];
    static struct order o = { .kind = kind, .only_own = true };

    if (sscanf(text, "%31s %ld %31s %4095[^\n]", kind, &o.number, how, file) !=
        4)
        abort();
    o.rest = strcmp(how, "rest") == 0;
    calls_init(is_traced, file);
    calls_begin(&o);
}

static bool is_program(const char *path)
{
    const char *wanted = getenv("FAILING_CALL");
    const char *slash = strrchr(path, '/');

    return wanted && strcmp(slash ? slash + 1 : path, wanted) == 0;
}

typedef int start_function(main_function *function, int argc, char **argv,
                           void (*init)(void), void (*fini)(void),
                           void (*rtld_fini)(void), void *stack_end);

start_function __libc_start_main;

int __libc_start_main(main_function *function, int argc, char **argv,
                      void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end)
{
    start_function *real = dlsym(RTLD_NEXT, "__libc_start_main");

    if (is_program(argv[0])) {
        const char *text = getenv("FAILING_CALL_ORDER");

        unsetenv("FAILING_CALL");
        is_traced = getenv("FAILING_CALL_TRACE") != NULL;
        if (text) {
            obey_alone(text);
        } else {
            prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
            counts = calls_init(is_traced, NULL);
            real_main = function;
            function = serve;
        }
    }
    return real(function, argc, argv, init, fini, rtld_fini, stack_end);
}
