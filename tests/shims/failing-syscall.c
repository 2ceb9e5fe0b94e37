/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "failing-syscall.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* --- which calls fail, and how ------------------------------------------ */

enum { LIMIT, DEVICE, SIGNAL, REFUSED, ABSENT };

struct cause {
    const char *name;
    int index;
    int error; /* of all calls; 0: see the table */
};

static const struct cause causes[] = {
    { "limit", LIMIT, 0 },         /* too many, too large, or no memory */
    { "device", DEVICE, 0 },       /* a broken disk, or connection */
    { "signal", SIGNAL, 0 },       /* the call is interrupted */
    { "refused", REFUSED, EPERM }, /* by a seccomp filter */
    { "absent", ABSENT, ENOSYS },  /* in an older kernel, or for a filter */
};

/*
 * The errors of a call for want of something, of a device, and by a signal; 0:
 * it has none. Not here: brk(), which reports no error but the old end;
 * close(), which closes even if it fails; futex(), on whose errors the C
 * library aborts; kill() and shutdown(), after which disksum waits some 15 s in
 * vain; calls that only fail if their arguments are wrong.
 */
#define CALL(name, limit, device, signal)                                      \
    {                                                                          \
#name, SYS_##name,                                                     \
        {                                                                      \
            limit, device, signal                                              \
        }                                                                      \
    }

static const struct call {
    const char *name;
    int number;
    int errors[3];
} calls[] = {
    /* Files. */
    CALL(openat, EMFILE, EIO, EINTR),
    CALL(openat2, EMFILE, EIO, EINTR),
    CALL(fcntl, ENOLCK, 0, EINTR), /* locks */
    CALL(flock, ENOLCK, EIO, EINTR),
    CALL(ioctl, ENOMEM, EIO, EINTR),
    CALL(statx, ENOMEM, EIO, EINTR),
    CALL(fstatfs, 0, EIO, EINTR),
    CALL(statfs, ENOMEM, EIO, EINTR),
    CALL(faccessat, ENOMEM, EIO, EINTR),
    CALL(faccessat2, ENOMEM, EIO, EINTR),
    CALL(readlinkat, ENOMEM, EIO, EINTR),
    CALL(getdents64, ENOMEM, EIO, EINTR),
    CALL(lseek, 0, EIO, EINTR),
    /* Reads. */
    CALL(read, ENOMEM, EIO, EINTR),
    CALL(readv, ENOMEM, EIO, EINTR),
    CALL(pread64, ENOMEM, EIO, EINTR),
    CALL(preadv2, ENOMEM, EIO, EINTR),
    CALL(tee, ENOMEM, 0, EINTR),
    CALL(io_uring_setup, ENOMEM, 0, 0),
    CALL(io_uring_register, ENOMEM, 0, 0),
    CALL(io_uring_enter, EAGAIN, 0, EINTR),
    /* Writes. */
    CALL(write, ENOSPC, EIO, EINTR),
    CALL(writev, ENOSPC, EIO, EINTR),
    CALL(pwrite64, ENOSPC, EIO, EINTR),
    CALL(fsync, EDQUOT, EIO, EINTR),
    CALL(fdatasync, EDQUOT, EIO, EINTR),
    CALL(sync_file_range, ENOSPC, EIO, EINTR),
    CALL(ftruncate, ENOSPC, EIO, EINTR),
    CALL(renameat2, ENOSPC, EIO, 0),
    CALL(unlinkat, ENOMEM, EIO, 0),
    CALL(mkdirat, ENOSPC, EIO, 0),
    /* Memory. */
    CALL(mmap, ENOMEM, ENODEV, 0),
    CALL(munmap, ENOMEM, 0, 0),
    CALL(mremap, ENOMEM, 0, 0),
    CALL(mprotect, ENOMEM, 0, 0),
    CALL(madvise, EAGAIN, EIO, EINTR),
    /* Descriptors that are no files. */
    CALL(pipe2, EMFILE, 0, 0),
    CALL(dup, EMFILE, 0, 0),
    CALL(dup3, EMFILE, 0, 0),
    CALL(eventfd2, EMFILE, 0, 0),
    CALL(signalfd4, EMFILE, 0, 0),
    CALL(epoll_create1, EMFILE, 0, 0),
    CALL(epoll_ctl, ENOMEM, 0, 0),
    CALL(epoll_pwait, 0, 0, EINTR),
    CALL(memfd_create, EMFILE, 0, 0),
    CALL(pidfd_open, EMFILE, 0, 0),
    CALL(ppoll, ENOMEM, 0, EINTR),
    /* Sockets. A connect() that was interrupted goes on. */
    CALL(socket, EMFILE, 0, 0),
    CALL(socketpair, EMFILE, 0, 0),
    CALL(connect, EAGAIN, ECONNREFUSED, 0),
    CALL(bind, ENOMEM, EIO, 0),
    CALL(listen, ENOMEM, 0, 0),
    CALL(getsockopt, ENOMEM, 0, 0),
    CALL(setsockopt, ENOMEM, 0, 0),
    CALL(getsockname, ENOBUFS, 0, 0),
    CALL(getpeername, ENOBUFS, ENOTCONN, 0),
    CALL(recvfrom, ENOMEM, ECONNRESET, EINTR),
    CALL(recvmsg, ENOMEM, ECONNRESET, EINTR),
    CALL(sendto, ENOBUFS, ECONNRESET, EINTR),
    CALL(sendmsg, ENOBUFS, ECONNRESET, EINTR),
    CALL(sendmmsg, ENOBUFS, ECONNRESET, EINTR),
    /* Processes, and what they may do. */
    CALL(clone, EAGAIN, 0, 0),
    CALL(clone3, EAGAIN, 0, 0),
    CALL(execve, ENOMEM, EIO, 0),
    CALL(wait4, 0, 0, EINTR),
    CALL(waitid, 0, 0, EINTR),
    CALL(setpgid, 0, 0, 0),
    CALL(setsid, 0, 0, 0),
    CALL(prctl, 0, 0, 0),
    CALL(prlimit64, 0, 0, 0),
    CALL(sched_getaffinity, ENOMEM, 0, 0),
    CALL(getrandom, 0, 0, EINTR),
    CALL(seccomp, ENOMEM, 0, 0),
    CALL(close_range, ENOMEM, 0, 0),
    CALL(clock_nanosleep, 0, 0, EINTR),
    CALL(clock_gettime, 0, 0, 0),
    CALL(rt_sigaction, 0, 0, 0),
    CALL(rt_sigpending, 0, 0, 0),
#ifdef SYS_landlock_create_ruleset
    CALL(landlock_create_ruleset, EMFILE, 0, 0),
    CALL(landlock_add_rule, ENOMEM, 0, 0),
    CALL(landlock_restrict_self, E2BIG, 0, 0),
#endif
/* What some CPUs do not have. */
#ifdef SYS_newfstatat
    CALL(newfstatat, ENOMEM, EIO, EINTR),
#endif
#ifdef SYS_renameat
    CALL(renameat, ENOSPC, EIO, 0),
#endif
#ifdef SYS_open
    CALL(open, EMFILE, EIO, EINTR),
    CALL(stat, ENOMEM, EIO, EINTR),
    CALL(lstat, ENOMEM, EIO, EINTR),
    CALL(access, ENOMEM, EIO, EINTR),
    CALL(readlink, ENOMEM, EIO, EINTR),
    CALL(rename, ENOSPC, EIO, 0),
    CALL(unlink, ENOMEM, EIO, 0),
    CALL(rmdir, ENOMEM, EIO, 0),
    CALL(mkdir, ENOSPC, EIO, 0),
    CALL(dup2, EBUSY, 0, 0),
    CALL(poll, ENOMEM, 0, EINTR),
    CALL(epoll_wait, 0, 0, EINTR),
    CALL(vfork, EAGAIN, 0, 0),
#endif
#ifdef SYS_fstat
    CALL(fstat, ENOMEM, EIO, EINTR),
#endif
};

#define COUNT (sizeof(calls) / sizeof(*calls))

static int error_of(const struct cause *cause, const struct call *call)
{
    return cause->error ? cause->error : call->errors[cause->index];
}

static const struct call *find(const struct cause *cause, int number)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (calls[i].number == number && error_of(cause, &calls[i]))
            return &calls[i];
    }
    return NULL;
}

/* The length of the cause in the kind of an order. */
static size_t cause_length(const char *kind)
{
    return strcspn(kind, ":");
}

const struct cause *syscall_cause(const char *kind)
{
    size_t len = cause_length(kind);

    for (size_t i = 0; i < sizeof(causes) / sizeof(*causes); i++) {
        if (strlen(causes[i].name) == len &&
            memcmp(causes[i].name, kind, len) == 0)
            return &causes[i];
    }
    return NULL;
}

/* Whether the kind of an order has a call. */
static bool has_call(const char *kind, const struct call *call)
{
    const char *name = kind + cause_length(kind);

    return !*name || strcmp(name + 1, call->name) == 0;
}

/* --- in the program ----------------------------------------------------- */

#define LOAD(offset)                                                           \
    (struct sock_filter) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define EQUAL(value, yes, no)                                                  \
    (struct sock_filter) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define RETURN(action) (struct sock_filter) BPF_STMT(BPF_RET | BPF_K, action)

#define NUMBER offsetof(struct seccomp_data, nr)

/* The lower half of the first argument. */
#define ARGUMENT                                                               \
    (offsetof(struct seccomp_data, args) +                                     \
     (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0))

/* Install a filter; returns what its calls are received from. */
static int listen_to(const struct cause *cause, int socket)
{
    struct sock_filter code[2 * COUNT + 16];
    struct sock_fprog program = { 0, code };
    unsigned n = 0;
    int fd;

    /* Who asks whether there is a filter is told that there is none. */
    code[n++] = LOAD(NUMBER);
    code[n++] = EQUAL(SYS_prctl, 0, 4);
    code[n++] = LOAD(ARGUMENT);
    code[n++] = EQUAL(PR_GET_SECCOMP, 0, 1);
    code[n++] = RETURN(SECCOMP_RET_ERRNO);
    code[n++] = LOAD(NUMBER);
    /* This is not the program's. */
    code[n++] = EQUAL(SYS_sendmsg, 0, 4);
    code[n++] = LOAD(ARGUMENT);
    code[n++] = EQUAL((unsigned)socket, 0, 1);
    code[n++] = RETURN(SECCOMP_RET_ALLOW);
    code[n++] = LOAD(NUMBER);
    for (size_t i = 0; i < COUNT; i++) {
        if (error_of(cause, &calls[i])) {
            code[n++] = EQUAL((unsigned)calls[i].number, 0, 1);
            code[n++] = RETURN(SECCOMP_RET_USER_NOTIF);
        }
    }
    code[n++] = RETURN(SECCOMP_RET_ALLOW);
    program.len = (unsigned short)n;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    /* A signal must not interrupt a call that waits for its answer. */
    fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                      SECCOMP_FILTER_FLAG_NEW_LISTENER |
                          SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
                      &program);
    if (fd < 0 && errno == EINVAL) /* before Linux 5.19 */
        fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                          SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    return fd;
}

/* A message of one byte, with a descriptor. */
struct message {
    struct msghdr header;
    struct iovec iov;
    char byte;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static void message_init(struct message *m)
{
    memset(m, 0, sizeof(*m));
    m->iov = (struct iovec){ &m->byte, 1 };
    m->header.msg_iov = &m->iov;
    m->header.msg_iovlen = 1;
    m->header.msg_control = m->control;
    m->header.msg_controllen = sizeof(m->control);
}

int syscalls_begin(const struct cause *cause, int socket)
{
    struct message m;
    struct cmsghdr *control;
    int listener = listen_to(cause, socket);
    ssize_t sent;

    if (listener < 0)
        return -1;
    message_init(&m);
    control = CMSG_FIRSTHDR(&m.header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(listener));
    memcpy(CMSG_DATA(control), &listener, sizeof(listener));
    sent = sendmsg(socket, &m.header, 0);
    close(listener);
    close(socket);
    return sent == 1 ? 0 : -1;
}

/* --- in the server ------------------------------------------------------ */

int syscalls_listener(int socket)
{
    struct message m;
    struct cmsghdr *control;
    int listener;

    message_init(&m);
    if (recvmsg(socket, &m.header, MSG_CMSG_CLOEXEC) != 1)
        return -1;
    control = CMSG_FIRSTHDR(&m.header);
    if (!control || control->cmsg_type != SCM_RIGHTS)
        return -1;
    memcpy(&listener, CMSG_DATA(control), sizeof(listener));
    return listener;
}

/* What a link in /proc leads to. */
static bool get_target(char target[PATH_MAX], const char *format, int process,
                       int fd)
{
    char link[64];
    ssize_t len;

    snprintf(link, sizeof(link), format, process, fd);
    len = readlink(link, target, PATH_MAX - 1);
    if (len < 0)
        return false;
    target[len] = '\0';
    return true;
}

static bool is_counted(const struct syscalls *s, pid_t thread)
{
    static char self[PATH_MAX], other[PATH_MAX];
    bool is_program = syscall(SYS_tgkill, s->program, thread, 0) == 0;

    if (!s->order->children || is_program)
        return is_program != s->order->children;
    return (*self || get_target(self, "/proc/%d/exe", getpid(), 0)) &&
           get_target(other, "/proc/%d/exe", thread, 0) &&
           strcmp(self, other) == 0;
}

/* Whether a call can fail at all. */
static bool can_fail(const struct cause *cause,
                     const struct seccomp_notif *call)
{
    const struct seccomp_data *data = &call->data;
    bool is_write = data->nr == SYS_write || data->nr == SYS_writev;
    char target[PATH_MAX];

    /* A test looks for the message. */
    if (is_write && data->args[0] == STDERR_FILENO)
        return false;
    /* The table is about locks. Other commands do not fail for these causes. */
    if (data->nr == SYS_fcntl)
        return cause->error || data->args[1] == F_SETLK ||
               data->args[1] == F_OFD_SETLK;
    /* Nothing is in the way of a number that is added, or taken. */
    return !(is_write || data->nr == SYS_read) ||
           !get_target(target, "/proc/%d/fd/%d", (int)call->pid,
                       (int)data->args[0]) ||
           strcmp(target, "anon_inode:[eventfd]") != 0;
}

/* What a call fails with, or 0. */
static int failure(struct syscalls *s, const struct seccomp_notif *call)
{
    const struct call *known = find(s->cause, call->data.nr);
    long n;

    if (!known || !has_call(s->order->kind, known) ||
        !can_fail(s->cause, call) || !is_counted(s, (pid_t)call->pid))
        return 0;
    n = ++s->calls;
    if (n == s->order->number) {
        s->failing = known->name;
        if (s->trace)
            fprintf(stderr, "%s(%#llx, %#llx, %#llx) in process %u\n",
                    known->name, (unsigned long long)call->data.args[0],
                    (unsigned long long)call->data.args[1],
                    (unsigned long long)call->data.args[2], call->pid);
    } else if (!s->order->rest || s->failing != known->name) {
        return 0;
    }
    s->failed++;
    return error_of(s->cause, known);
}

void syscalls_answer(struct syscalls *s)
{
    struct seccomp_notif call = { 0 };
    struct seccomp_notif_resp answer = { 0 };

    /* The process may be gone, or be so soon. */
    if (ioctl(s->listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
        return;
    answer.id = call.id;
    answer.error = -failure(s, &call);
    if (!answer.error)
        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(s->listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}
