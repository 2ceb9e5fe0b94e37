/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions of libraries that fail. failing-server.c says how this is used. */
/* Under this name, headers would rename open() to open64(), and others. Here,
 * each is a function of its own. */
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "callers.h"
#include "failing-call.h"

static struct call_counts *counts; /* NULL: this is not the program */
static const struct order *order;  /* NULL: of no run */
static pid_t program;              /* the process that runs main() */
static int trace = -1;

/* The kind of an allocation: of one that must not fail, none. */
static const char *memory(const void *caller)
{
    return spared_memory(caller) ? "" : "memory";
}

static void write_trace(void)
{
    void *frames[40];
    static const char end[] = "\n";

    backtrace_symbols_fd(frames, backtrace(frames, 40), trace);
    (void)!write(trace, end, strlen(end));
}

/* Whether this call of a kind fails. */
static bool call_fails(const char *kind_of_call, const void *caller)
{
    long n;

    if (!order || strcmp(order->kind, kind_of_call) != 0 ||
        (getpid() == program) == order->children ||
        (order->only_own && !is_own_call(caller)))
        return false;
    n = ++counts->calls;
    if (!order->number || n < order->number ||
        (n > order->number && !order->rest))
        return false;
    counts->failed++;
    if (trace >= 0 && n == order->number) {
        const struct order *current = order;

        order = NULL; /* to write may take more calls */
        write_trace();
        order = current;
    }
    return true;
}

/* --- functions that fail
 * ------------------------------------------------------- */

/* The caller of the function that it stands in. */
#define CALLER __builtin_return_address(0)

#define fails(kind) call_fails(kind, CALLER)

/* A function `type name params`, which is called by args. It is declared here
 * as libraries export it: headers have other names for some. */
#define FAIL(kind, failure, error, type, name, params, args)                   \
    type name params;                                                          \
    type name params                                                           \
    {                                                                          \
        static type(*real) params;                                             \
                                                                               \
        if (!real)                                                             \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                         \
        if (fails(kind)) {                                                     \
            errno = error;                                                     \
            return failure;                                                    \
        }                                                                      \
        return real args;                                                      \
    }

#define MINUS(kind, error, name, params, args)                                 \
    FAIL(kind, -1, error, int, name, params, args)

/* Memory. Other functions of the C library allocate with these. */
FAIL(memory(CALLER), NULL, ENOMEM, void *, malloc, (size_t size), (size))
FAIL(memory(CALLER), NULL, ENOMEM, void *, calloc, (size_t n, size_t size),
     (n, size))
FAIL(memory(CALLER), NULL, ENOMEM, void *, realloc, (void *p, size_t size),
     (p, size))
FAIL(memory(CALLER), NULL, ENOMEM, void *, aligned_alloc,
     (size_t a, size_t size), (a, size))
FAIL(memory(CALLER), ENOMEM, 0, int, posix_memalign,
     (void **p, size_t a, size_t size), (p, a, size))

/* Mappings. */
FAIL("map", MAP_FAILED, ENOMEM, void *, mmap64,
     (void *p, size_t len, int prot, int flags, int fd, off64_t offset),
     (p, len, prot, flags, fd, offset))
FAIL("map", MAP_FAILED, ENOMEM, void *, mmap,
     (void *p, size_t len, int prot, int flags, int fd, off_t offset),
     (p, len, prot, flags, fd, offset))
MINUS("map", ENOMEM, madvise, (void *p, size_t len, int advice),
      (p, len, advice))

/* Threads. */
FAIL("thread", EAGAIN, 0, int, pthread_create,
     (pthread_t * id, const pthread_attr_t *attr, void *(*start)(void *),
      void *arg),
     (id, attr, start, arg))

/* Reads. */
FAIL("read", -1, EIO, ssize_t, read, (int fd, void *buf, size_t len),
     (fd, buf, len))
FAIL("read", -1, EIO, ssize_t, pread64,
     (int fd, void *buf, size_t len, off64_t offset), (fd, buf, len, offset))
FAIL("read", -1, EIO, ssize_t, preadv64v2,
     (int fd, const void *iov, int count, off64_t offset, int flags),
     (fd, iov, count, offset, flags))
FAIL("read", -1, ENOMEM, ssize_t, tee,
     (int from, int to, size_t len, unsigned flags), (from, to, len, flags))
FAIL("read", 0, EIO, size_t, fread,
     (void *buf, size_t size, size_t n, FILE *file), (buf, size, n, file))
FAIL("read", NULL, EIO, void *, readdir64, (void *dir), (dir))

/* io_uring. */
FAIL("ring", -ENOMEM, 0, int, io_uring_queue_init,
     (unsigned depth, void *ring, unsigned flags), (depth, ring, flags))
FAIL("ring", NULL, ENOMEM, void *, io_uring_get_probe_ring, (void *ring),
     (ring))
FAIL("ring", -ENOMEM, 0, int, io_uring_submit, (void *ring), (ring))
FAIL("ring", -ENOMEM, 0, int, io_uring_submit_and_wait,
     (void *ring, unsigned n), (ring, n))

/* Descriptors. */
FAIL("open", NULL, EMFILE, FILE *, fopen64,
     (const char *path, const char *mode), (path, mode))
FAIL("open", NULL, EMFILE, FILE *, fopen, (const char *path, const char *mode),
     (path, mode))
FAIL("open", NULL, EMFILE, void *, opendir, (const char *path), (path))
MINUS("open", EMFILE, pipe2, (int fds[2], int flags), (fds, flags))
MINUS("open", EMFILE, eventfd, (unsigned n, int flags), (n, flags))
MINUS("open", EMFILE, signalfd, (int fd, const void *set, int flags),
      (fd, set, flags))
MINUS("open", EMFILE, dup2, (int from, int to), (from, to))

#define FAIL_OPEN(name)                                                        \
    int name(const char *path, int flags, ...);                                \
    int name(const char *path, int flags, ...)                                 \
    {                                                                          \
        int (*real)(const char *, int, mode_t) = dlsym(RTLD_NEXT, #name);      \
        va_list args;                                                          \
        mode_t mode;                                                           \
                                                                               \
        if (fails("open")) {                                                   \
            errno = EMFILE;                                                    \
            return -1;                                                         \
        }                                                                      \
        va_start(args, flags);                                                 \
        mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;       \
        va_end(args);                                                          \
        return real(path, flags, mode);                                        \
    }

#define FAIL_OPENAT(name)                                                      \
    int name(int at, const char *path, int flags, ...);                        \
    int name(int at, const char *path, int flags, ...)                         \
    {                                                                          \
        int (*real)(int, const char *, int, mode_t) = dlsym(RTLD_NEXT, #name); \
        va_list args;                                                          \
        mode_t mode;                                                           \
                                                                               \
        if (fails("open")) {                                                   \
            errno = EMFILE;                                                    \
            return -1;                                                         \
        }                                                                      \
        va_start(args, flags);                                                 \
        mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;       \
        va_end(args);                                                          \
        return real(at, path, flags, mode);                                    \
    }

FAIL_OPEN(open64)
FAIL_OPEN(open)
FAIL_OPENAT(openat64)
FAIL_OPENAT(openat)

/* What is asked of files. */
MINUS("status", EIO, stat64, (const char *path, void *st), (path, st))
MINUS("status", EIO, lstat64, (const char *path, void *st), (path, st))
MINUS("status", EIO, fstat64, (int fd, void *st), (fd, st))
MINUS("status", EIO, fstatat64, (int fd, const char *path, void *st, int flags),
      (fd, path, st, flags))
MINUS("status", EIO, statx,
      (int fd, const char *path, int flags, unsigned mask, void *st),
      (fd, path, flags, mask, st))
MINUS("status", EIO, statfs64, (const char *path, void *fs), (path, fs))
MINUS("status", EIO, fstatfs64, (int fd, void *fs), (fd, fs))
MINUS("status", EIO, access, (const char *path, int mode), (path, mode))
FAIL("status", -1, EIO, off64_t, lseek64, (int fd, off64_t offset, int whence),
     (fd, offset, whence))
FAIL("status", -1, EIO, ssize_t, readlink,
     (const char *path, char *buf, size_t n), (path, buf, n))
FAIL("status", -1, EIO, ssize_t, readlinkat,
     (int fd, const char *path, char *buf, size_t n), (fd, path, buf, n))

int fcntl64(int fd, int command, ...);
int fcntl64(int fd, int command, ...)
{
    int (*real)(int, int, void *) = dlsym(RTLD_NEXT, "fcntl64");
    bool duplicates = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
    va_list args;
    void *arg;

    if (fails(duplicates ? "open" : "status")) {
        errno = duplicates ? EMFILE : EIO;
        return -1;
    }
    va_start(args, command);
    arg = va_arg(args, void *);
    va_end(args);
    return real(fd, command, arg);
}

int ioctl(int fd, unsigned long request, ...);
int ioctl(int fd, unsigned long request, ...)
{
    int (*real)(int, unsigned long, void *) = dlsym(RTLD_NEXT, "ioctl");
    va_list args;
    void *arg;

    if (fails("status")) {
        errno = EIO;
        return -1;
    }
    va_start(args, request);
    arg = va_arg(args, void *);
    va_end(args);
    return real(fd, request, arg);
}

/* Sockets. */
MINUS("socket", EMFILE, socket, (int domain, int type, int protocol),
      (domain, type, protocol))
MINUS("socket", EMFILE, socketpair,
      (int domain, int type, int protocol, int fds[2]),
      (domain, type, protocol, fds))
MINUS("socket", ECONNREFUSED, connect,
      (int fd, const void *address, unsigned len), (fd, address, len))
MINUS("socket", EACCES, bind, (int fd, const void *address, unsigned len),
      (fd, address, len))
MINUS("socket", EIO, listen, (int fd, int n), (fd, n))
MINUS("socket", EIO, getsockopt,
      (int fd, int level, int name, void *value, unsigned *len),
      (fd, level, name, value, len))
MINUS("socket", EIO, setsockopt,
      (int fd, int level, int name, const void *value, unsigned len),
      (fd, level, name, value, len))
FAIL("socket", -1, EIO, ssize_t, recv,
     (int fd, void *buf, size_t len, int flags), (fd, buf, len, flags))
FAIL("socket", -1, EIO, ssize_t, send,
     (int fd, const void *buf, size_t len, int flags), (fd, buf, len, flags))

/* glibc 2.36 crashes in __nss_database_get(), or fails an assertion of
 * nss_database_reload(), if it cannot read nsswitch.conf for want of memory. */
int getaddrinfo(const char *host, const char *port, const void *hints,
                void *found);
int getaddrinfo(const char *host, const char *port, const void *hints,
                void *found)
{
    int (*real)(const char *, const char *, const void *, void *) =
        dlsym(RTLD_NEXT, "getaddrinfo");
    bool before = is_spared;
    int result;

    if (fails("socket"))
        return -3; /* EAI_AGAIN */
    is_spared = true;
    result = real(host, port, hints, found);
    is_spared = before;
    return result;
}

/* Waiting. */
MINUS("wait", ENOMEM, poll, (struct pollfd * fds, unsigned long n, int ms),
      (fds, n, ms))
MINUS("wait", ENOMEM, ppoll,
      (struct pollfd * fds, unsigned long n, const struct timespec *timeout,
       const sigset_t *mask),
      (fds, n, timeout, mask))

/* Writes. What goes to stderr is the message that a test looks for. */
FAIL(fd == STDERR_FILENO ? "" : "write", -1, ENOSPC, ssize_t, write,
     (int fd, const void *buf, size_t len), (fd, buf, len))
MINUS("write", EIO, fsync, (int fd), (fd))
MINUS("write", EIO, fdatasync, (int fd), (fd))
MINUS("write", ENOSPC, ftruncate64, (int fd, off64_t size), (fd, size))
MINUS("write", EIO, sync_file_range,
      (int fd, off64_t at, off64_t len, unsigned flags), (fd, at, len, flags))
MINUS("write", EIO, renameat,
      (int from, const char *old, int to, const char *name),
      (from, old, to, name))
MINUS("write", EIO, unlinkat, (int fd, const char *path, int flags),
      (fd, path, flags))
MINUS("write", ENOLCK, flock, (int fd, int operation), (fd, operation))
FAIL("write", NULL, ENOSPC, char *, mkdtemp, (char *template), (template))

/* The descriptor is closed all the same, as it is by the kernel. */
int close(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "close");
    int result = real(fd);

    if (!fails("write"))
        return result;
    errno = EIO;
    return -1;
}

/* Processes, and what they may do. */
FAIL("process", -1, EAGAIN, pid_t, fork, (void), ())
MINUS("process", EACCES, setpgid, (pid_t pid, pid_t group), (pid, group))
MINUS("process", ENOENT, execvp, (const char *path, char *const args[]),
      (path, args))
FAIL("process", NULL, ENOMEM, void *, seccomp_init, (unsigned action), (action))
MINUS("process", EINVAL, sched_getaffinity,
      (pid_t pid, size_t size, cpu_set_t *set), (pid, size, set))

int prctl(int option, ...)
{
    int (*real)(int, long, long, long, long) = dlsym(RTLD_NEXT, "prctl");
    long values[4];
    va_list args;

    if (fails("process")) {
        errno = EINVAL;
        return -1;
    }
    va_start(args, option);
    for (int i = 0; i < 4; i++)
        values[i] = va_arg(args, long);
    va_end(args);
    return real(option, values[0], values[1], values[2], values[3]);
}

/* Those that the C library has no function for. */
long syscall(long call, ...)
{
    long (*real)(long, long, long, long, long, long, long) =
        dlsym(RTLD_NEXT, "syscall");
    long values[6];
    va_list args;

    if (fails(call == SYS_openat2 ? "open" : "process")) {
        errno = call == SYS_openat2 ? EMFILE : ENOSYS;
        return -1;
    }
    va_start(args, call);
    for (int i = 0; i < 6; i++)
        values[i] = va_arg(args, long);
    va_end(args);
    return real(call, values[0], values[1], values[2], values[3], values[4],
                values[5]);
}

/* --- for the server
 * ------------------------------------------------------------ */

struct call_counts *calls_init(bool is_traced, const char *path)
{
    int file = path ? open(path, O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;
    void *frame;

    if (path && (file < 0 || ftruncate(file, sizeof(*counts)) != 0))
        abort();
    counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE,
                  MAP_SHARED | (path ? 0 : MAP_ANONYMOUS), file, 0);
    if (counts == MAP_FAILED)
        abort();
    if (path)
        close(file);
    if (is_traced) {
        trace = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);
        backtrace(&frame, 1); /* loads what it needs */
    }
    callers_begin();
    return counts;
}

void calls_begin(const struct order *o)
{
    program = getpid();
    order = o;
}
