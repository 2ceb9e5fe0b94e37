/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls that fail, whoever makes them: also the C library, liburing and
 * others, of whose calls LD_PRELOAD sees nothing. A seccomp filter hands each
 * call to another process, which counts it, and says how it ends.
 */
#ifndef TESTS_SHIMS_FAILING_SYSCALL_H
#define TESTS_SHIMS_FAILING_SYSCALL_H

#include <stdbool.h>

#include <sys/types.h>

#include "failing-call.h"

/* Why calls fail. */
struct cause;

/* That of an order: its kind is CAUSE or CAUSE:CALL. NULL: it is no cause. */
const struct cause *syscall_cause(const char *kind);

/* In the process whose calls may fail: begin. This needs a socket whose other
 * end is that of syscalls_listener(). Both return -1 if they cannot. */
int syscalls_begin(const struct cause *cause, int socket);
int syscalls_listener(int socket);

struct syscalls {
    const struct order *order; /* the rest is that of the same system call */
    const struct cause *cause;
    int listener;
    pid_t program;
    bool trace; /* write to stderr which call fails */
    long calls, failed;
    const char
        *failing; /* the name of the system call; NULL: none has failed */
};

/* A call waits for an answer. */
void syscalls_answer(struct syscalls *s);

#endif
