/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libc has no functions for the system calls of Landlock (Linux 5.13), and the
 * installed headers may be older than the running kernel. So the names and
 * numbers of linux/landlock.h are repeated here.
 *
 * Landlock rules add up in layers, each of which takes rights away. A server
 * gets a second layer, without the temporary directory.
 */
#include "process/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/array.h"
#include "common/units.h"
#include "process/deadly-call.h"
#include "process/private-socket.h"

/* --- Landlock ----------------------------------------------------------- */

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define CREATE_RULESET_VERSION 1
#define RULE_PATH_BENEATH 1

#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_REMOVE_DIR (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_CHAR (UINT64_C(1) << 6)
#define FS_MAKE_DIR (UINT64_C(1) << 7)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_MAKE_SOCK (UINT64_C(1) << 9)
#define FS_MAKE_FIFO (UINT64_C(1) << 10)
#define FS_MAKE_BLOCK (UINT64_C(1) << 11)
#define FS_MAKE_SYM (UINT64_C(1) << 12)
#define FS_REFER (UINT64_C(1) << 13)    /* since version 2 of the ABI */
#define FS_TRUNCATE (UINT64_C(1) << 14) /* 3 */
#define NET_BIND_TCP (UINT64_C(1) << 0) /* 4 */
#define NET_CONNECT_TCP (UINT64_C(1) << 1)

#define FS_ALL_CHANGES                                                         \
    (FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_CHAR |           \
     FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_BLOCK | \
     FS_MAKE_SYM)

/* What a private socket needs: to make a directory and a socket, and to remove
 * both. */
#define FS_SOCKETS (FS_MAKE_DIR | FS_MAKE_SOCK | FS_REMOVE_DIR | FS_REMOVE_FILE)

/* What it takes to rename a file within its directory. */
#define FS_RENAMES (FS_MAKE_REG | FS_REMOVE_FILE)

struct ruleset_attr {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
};

struct path_beneath_attr {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

/* The version of the Landlock ABI; 0: the kernel has no Landlock, or a filter
 * kills who asks. */
static int landlock_version(void)
{
    long version;

    if (call_is_deadly(SYS_landlock_create_ruleset))
        return 0;
    version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
                      CREATE_RULESET_VERSION);
    return version > 0 ? (int)version : 0;
}

/* Allow access to what a descriptor is open for, and beneath it. */
static int allow_fd(int ruleset, int fd, uint64_t access)
{
    struct path_beneath_attr beneath = {
        .allowed_access = access,
        .parent_fd = fd,
    };
    long result =
        syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &beneath, 0);

    return result == 0 ? 0 : errno;
}

/* Allow access beneath a path. Where the path does not exist there is nothing
 * to allow. */
static int allow(int ruleset, const char *path, uint64_t access)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    int err;

    if (fd < 0)
        return 0;
    err = allow_fd(ruleset, fd, access);
    close(fd);
    return err;
}

/* Where POSIX shared memory is. */
#define SHARED_MEMORY "/dev/shm"

/* What a process may do although it is confined. */
struct exceptions {
    const char *sockets; /* the directory in which it may make sockets; NULL:
                          * none */
    int renames;         /* a descriptor of one in which it may rename files;
                          * -1: none */
    bool shared_memory;  /* remove it */
};

/* Returns 0, or a positive errno value if the process is not confined. */
static int restrict_self(const struct exceptions *e, bool network)
{
    struct ruleset_attr attr = { .handled_access_fs = FS_ALL_CHANGES };
    int version = landlock_version();
    int ruleset, err;

    if (version == 0)
        return ENOSYS;
    if (version >= 2)
        attr.handled_access_fs |= FS_REFER;
    if (version >= 3)
        attr.handled_access_fs |= FS_TRUNCATE;
    if (version >= 4 && !network)
        attr.handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP;
    ruleset = syscall(SYS_landlock_create_ruleset, &attr,
                      version >= 4
                          ? sizeof(attr)
                          : offsetof(struct ruleset_attr, handled_access_net),
                      0);
    if (ruleset < 0)
        return errno;
    /* Programs write to it in place of a file. */
    err = allow(ruleset, "/dev/null", FS_WRITE_FILE);
    if (!err && e->sockets)
        err = allow(ruleset, e->sockets, FS_SOCKETS);
    if (!err && e->renames >= 0)
        err = allow_fd(ruleset, e->renames, FS_RENAMES);
    if (!err && e->shared_memory)
        err = allow(ruleset, SHARED_MEMORY, FS_REMOVE_FILE);
    if (!err && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        err = errno;
    close(ruleset);
    return err;
}

static bool confined;

/* Of this process. */
static struct exceptions exceptions = { .renames = -1 };

void confine_except_renames(int directory)
{
    exceptions.renames = directory;
}

void confine_except_shared_memory(void)
{
    exceptions.shared_memory = true;
}

void confine_this_process(bool network)
{
    if (confined || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return;
    exceptions.sockets = private_socket_parent();
    confined = restrict_self(&exceptions, network) == 0;
}

/* --- seccomp ------------------------------------------------------------ */

/* Refuse open() and openat() if the masked bits of their flags have a value. */
static int refuse_open(scmp_filter_ctx filter, unsigned mask, unsigned value)
{
    struct scmp_arg_cmp flags = SCMP_A2(SCMP_CMP_MASKED_EQ, mask, value);
    int err = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EROFS),
                                     SCMP_SYS(openat), 1, &flags);

    flags.arg = 1;
    return err ? err
               : seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EROFS),
                                        SCMP_SYS(open), 1, &flags);
}

static int refuse(scmp_filter_ctx filter, const int *calls, size_t count,
                  int error)
{
    int err = 0;

    for (size_t i = 0; !err && i < count; i++)
        err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(error), calls[i], 0);
    return err;
}

/* Calls that change a directory, or the metadata of a file. */
static const int changes[] = {
    SCMP_SYS(creat),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(rmdir),
    SCMP_SYS(mknod),
    SCMP_SYS(mknodat),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(symlink),
    SCMP_SYS(symlinkat),
    SCMP_SYS(chmod),
    SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat),
    SCMP_SYS(chown),
    SCMP_SYS(fchown),
    SCMP_SYS(lchown),
    SCMP_SYS(fchownat),
    SCMP_SYS(setxattr),
    SCMP_SYS(lsetxattr),
    SCMP_SYS(fsetxattr),
    SCMP_SYS(utime),
    SCMP_SYS(utimes),
    SCMP_SYS(futimesat),
    SCMP_SYS(utimensat),
    SCMP_SYS(mount),
    SCMP_SYS(removexattr),
    SCMP_SYS(lremovexattr),
    SCMP_SYS(swapon),
    SCMP_SYS(fremovexattr),
    SCMP_SYS(open_by_handle_at),
};

/* What CPUs of 32 bits have as well. libseccomp ignores it on others. */
static const int changes32[] = {
    SCMP_SYS(chown32),
    SCMP_SYS(fchown32),
    SCMP_SYS(lchown32),
    SCMP_SYS(utimensat_time64),
};

/* What libseccomp may be too old to know. Since Linux 5.1 a call has the same
 * number on all CPUs. */
static const int newer_changes[] = {
    452, /* fchmodat2 */
    463, /* setxattrat */
    466, /* removexattrat */
    469, /* file_setattr */
};

/* Calls whose arguments a filter cannot see, as they are in memory. Programs do
 * without them on older kernels. */
static const int opaque[] = { SCMP_SYS(openat2), SCMP_SYS(io_uring_setup) };

static const int sockets[] = { SCMP_SYS(socket) };

static const int truncation[] = { SCMP_SYS(truncate), SCMP_SYS(truncate64) };

/* This refuses to open /dev/null for writing, too. */
static int refuse_changes(scmp_filter_ctx filter)
{
    int err = refuse_open(filter, O_ACCMODE, O_WRONLY);

    if (!err)
        err = refuse_open(filter, O_ACCMODE, O_RDWR);
    if (!err)
        err = refuse_open(filter, O_CREAT, O_CREAT);
    if (!err)
        err = refuse(filter, changes, ARRAY_SIZE(changes), EROFS);
    if (!err)
        err = refuse(filter, changes32, ARRAY_SIZE(changes32), EROFS);
    return err ? err
               : refuse(filter, newer_changes, ARRAY_SIZE(newer_changes),
                        EROFS);
}

static sigjmp_buf out_of_time;

static void stop(int number)
{
    siglongjmp(out_of_time, number);
}

/* Jump there when this process has used the CPU for so long; 0: do not. A
 * program that it executes does not inherit the handler. */
static void bound_time(time_t seconds)
{
    const struct itimerval timer = { .it_value.tv_sec = seconds };

    signal(SIGPROF, stop);
    setitimer(ITIMER_PROF, &timer, NULL);
}

/* has_landlock: Landlock refuses changes already. Truncation is always refused
 * here, as Landlock does so only since version 3. Returns 0 or a positive errno
 * value. */
static int filter_calls(bool has_landlock, bool network)
{
    scmp_filter_ctx filter;
    int err;

    /* At this level libseccomp uses prctl(), which is older. */
    if (call_is_deadly(SYS_seccomp))
        seccomp_api_set(1);
    filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return ENOMEM;
    err = refuse_open(filter, O_TRUNC, O_TRUNC);
    if (!err)
        err = refuse(filter, truncation, ARRAY_SIZE(truncation), EROFS);
    if (!err && !has_landlock)
        err = refuse_changes(filter);
    if (!err && !network)
        err = refuse(filter, sockets, ARRAY_SIZE(sockets), EACCES);
    /* Landlock also sees what io_uring opens, but not that it makes sockets. */
    if (!err && !(has_landlock && network))
        err = refuse(filter, opaque, ARRAY_SIZE(opaque), ENOSYS);
    if (!err)
        err = seccomp_load(filter);
    seccomp_release(filter);
    return -err;
}

/*
 * The private memory that a server may write. Up to 64 threads of QEMU's pool
 * have a stack of 8 MiB each, that is 512 MiB. The rest is for the tables of
 * images: 4 MiB for a Parallels image of 1 TiB, 16 MiB for a VHDX of 64 TiB,
 * and the same for each image of a chain. A header of 512 bytes can claim 2 GB.
 */
#define SERVER_MEMORY (1536 * MiB)
#define SERVER_STACK (8 * MiB)

static void lower_limit(int resource, rlim_t value)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) == 0 && limit.rlim_cur > value) {
        limit.rlim_cur = value;
        setrlimit(resource, &limit);
    }
}

int confine_server(bool network)
{
    const struct exceptions none = { .renames = -1 };
    int err;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return errno;
    /* A millisecond will do. But without memory for the filter,
     * libseccomp 2.5.4 may loop for ever. */
    if (sigsetjmp(out_of_time, 1) != 0) {
        bound_time(0);
        return ENOMEM;
    }
    bound_time(5);
    err = filter_calls(restrict_self(&none, network) == 0, network);
    bound_time(0);
    return err;
}

void bound_server_memory(void)
{
    lower_limit(RLIMIT_DATA, SERVER_MEMORY);
    lower_limit(RLIMIT_STACK, SERVER_STACK);
}
