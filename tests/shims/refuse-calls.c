/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * refuse-calls ERROR CALL[,CALL]... COMMAND ARG...: run a command as on a
 * kernel that has no such system calls (ENOSYS), or under a seccomp filter that
 * forbids them (EPERM).
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

/* Those that are newer than Linux 4.18, and some of its own; where the headers
 * do not know the number, it is the same for all architectures. */
#define NEW(name, number)                                                      \
    {                                                                          \
#name, number                                                          \
    }

static const struct {
    const char *name;
    unsigned number;
} calls[] = {
    { "clone", SYS_clone },
    { "copy_file_range", SYS_copy_file_range },
    { "fstatfs", SYS_fstatfs },
    { "getdents64", SYS_getdents64 },
    { "getrandom", SYS_getrandom },
    { "memfd_create", SYS_memfd_create },
    { "preadv2", SYS_preadv2 },
    { "statx", SYS_statx },
    { "rseq", SYS_rseq },
    { "tee", SYS_tee },
    NEW(pidfd_send_signal, 424),
    NEW(io_uring_setup, 425),
    NEW(io_uring_enter, 426),
    NEW(io_uring_register, 427),
    NEW(pidfd_open, 434),
    NEW(clone3, 435),
    NEW(close_range, 436),
    NEW(openat2, 437),
    NEW(pidfd_getfd, 438),
    NEW(faccessat2, 439),
    NEW(process_madvise, 440),
    NEW(epoll_pwait2, 441),
    NEW(landlock_create_ruleset, 444),
    NEW(landlock_add_rule, 445),
    NEW(landlock_restrict_self, 446),
    NEW(futex_waitv, 449),
};

#define CALLS (sizeof(calls) / sizeof(*calls))

static int find(const char *name, unsigned *number)
{
    for (size_t i = 0; i < CALLS; i++) {
        if (strcmp(calls[i].name, name) == 0) {
            *number = calls[i].number;
            return 0;
        }
    }
    fprintf(stderr, "refuse-calls: no call '%s'\n", name);
    return 2;
}

static int refuse(unsigned number, int error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
        return 0;
    perror("seccomp");
    return 2;
}

int main(int argc, char **argv)
{
    unsigned number;
    int error;

    if (argc < 4)
        return 2;
    error = strcmp(argv[1], "EPERM") == 0 ? EPERM : ENOSYS;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return 2;
    for (char *name = strtok(argv[2], ","); name; name = strtok(NULL, ",")) {
        if (find(name, &number) != 0 || refuse(number, error) != 0)
            return 2;
    }
    execvp(argv[3], argv + 3);
    perror(argv[3]);
    return 2;
}
