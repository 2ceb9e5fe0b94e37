/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each test confines a child, which tells what it could do. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/confine.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif

/* A directory with a file, and a directory for sockets, which TMPDIR names. */
static char directory[] = "/tmp/confine-XXXXXX";
static char file[64], other[64], sockets[64], made[96];

/* A server by TCP that is there. */
static struct sockaddr_in server;
static int server_fd;

/* --- what a child tries ------------------------------------------------- */

enum {
    READ = 1 << 0,
    WRITE = 1 << 1, /* or change in any other way */
    NULL_DEVICE = 1 << 2,
    MAKE_SOCKET_PLACE = 1 << 3,
    UNIX_SOCKET = 1 << 4,
    CONNECT = 1 << 5,
    RENAME = 1 << 6,
    METADATA = 1 << 7, /* change those of a file */
};

static bool can_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool can_rename(void)
{
    return rename(file, other) == 0 && rename(other, file) == 0;
}

/* Some of it is part of renaming. */
static bool can_change(bool renames)
{
    return can_open(file, O_WRONLY) || can_open(file, O_RDWR) ||
           can_open(file, O_RDONLY | O_TRUNC) || truncate(file, 1) == 0 ||
           symlink(file, other) == 0 || mkdir(other, 0700) == 0 ||
           mkfifo(other, 0600) == 0 ||
           (!renames && (can_open(other, O_RDONLY | O_CREAT) ||
                         link(file, other) == 0 || unlink(file) == 0));
}

static bool can_change_metadata(void)
{
    static const struct timespec now[] = { { .tv_nsec = UTIME_NOW },
                                           { .tv_nsec = UTIME_NOW } };

    return chmod(file, 0600) == 0 || chown(file, getuid(), getgid()) == 0 ||
           lchown(file, getuid(), getgid()) == 0 ||
           syscall(SYS_fchmodat2, AT_FDCWD, file, 0600, 0) == 0 ||
           utimensat(AT_FDCWD, file, now, 0) == 0;
}

static bool can_make_a_place(void)
{
    return mkdir(made, 0700) == 0 && rmdir(made) == 0;
}

static bool can_make_unix_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool can_connect(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok =
        fd >= 0 && connect(fd, (struct sockaddr *)&server, sizeof(server)) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

static int try_all(void)
{
    bool renames = can_rename();

    return (can_open(file, O_RDONLY) ? READ : 0) | (renames ? RENAME : 0) |
           (can_change_metadata() ? METADATA : 0) |
           (can_change(renames) ? WRITE : 0) |
           (can_open("/dev/null", O_RDWR) ? NULL_DEVICE : 0) |
           (can_make_a_place() ? MAKE_SOCKET_PLACE : 0) |
           (can_make_unix_socket() ? UNIX_SOCKET : 0) |
           (can_connect() ? CONNECT : 0);
}

/* --- children ----------------------------------------------------------- */

static bool no_landlock;

/* As on an older kernel. */
static void refuse_landlock(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    if (!filter ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
                         SYS_landlock_create_ruleset, 0) != 0 ||
        seccomp_load(filter) != 0)
        _exit(255);
    seccomp_release(filter);
}

/* The version of Landlock's interface, which this kernel and the test have. */
static int landlock_version(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, 1);

    return no_landlock || version < 0 ? 0 : (int)version;
}

static int in_child(void (*confine)(void))
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        if (no_landlock)
            refuse_landlock();
        confine();
        _exit(try_all());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void this_process(void)
{
    confine_this_process(true);
}

static void this_process_without_network(void)
{
    confine_this_process(false);
}

static void this_process_but_renames(void)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    confine_except_renames(fd);
    confine_this_process(true);
    close(fd);
}

static void qemu_of_such_a_process(void)
{
    this_process_but_renames();
    if (confine_server(true) != 0)
        _exit(254);
}

static void qemu(void)
{
    confine_this_process(true);
    if (confine_server(true) != 0)
        _exit(254);
}

static void qemu_without_network(void)
{
    confine_this_process(false);
    if (confine_server(false) != 0)
        _exit(254);
}

/* --- tests -------------------------------------------------------------- */

static void test_this_process(void **state)
{
    int more = READ | NULL_DEVICE | MAKE_SOCKET_PLACE | UNIX_SOCKET | METADATA;

    (void)state;
    if (landlock_version() == 0)
        more |= WRITE | RENAME;
    assert_int_equal(in_child(this_process), more | CONNECT);
    assert_int_equal(in_child(this_process_without_network),
                     landlock_version() >= 4 ? more : more | CONNECT);
}

/* What Landlock lets qemu-nbd do, and a filter in its place does not. */
static int only_with_landlock(void)
{
    return landlock_version() ? NULL_DEVICE | METADATA : 0;
}

static void test_renames(void **state)
{
    (void)state;
    assert_int_equal(in_child(this_process_but_renames),
                     READ | RENAME | NULL_DEVICE | MAKE_SOCKET_PLACE |
                         UNIX_SOCKET | CONNECT | METADATA |
                         (landlock_version() ? 0 : WRITE));
    assert_int_equal(in_child(qemu_of_such_a_process),
                     READ | only_with_landlock() | UNIX_SOCKET | CONNECT);
}

static void test_qemu(void **state)
{
    (void)state;
    assert_int_equal(in_child(qemu),
                     READ | only_with_landlock() | UNIX_SOCKET | CONNECT);
    assert_int_equal(in_child(qemu_without_network),
                     READ | only_with_landlock());
}

static void refuse_filters(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    if (!filter ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(seccomp), 0) ||
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1,
                         SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP)) ||
        seccomp_load(filter))
        _exit(255);
    seccomp_release(filter);
    _exit(confine_server(true) ? 1 : 0);
}

/* qemu-nbd is not started then. */
static void test_no_filter(void **state)
{
    (void)state;
    assert_int_equal(in_child(refuse_filters), 1);
}

static int set_up(void **state)
{
    socklen_t len = sizeof(server);

    assert_non_null(mkdtemp(directory));
    snprintf(file, sizeof(file), "%s/file", directory);
    snprintf(other, sizeof(other), "%s/other", directory);
    snprintf(sockets, sizeof(sockets), "%s/sockets", directory);
    snprintf(made, sizeof(made), "%s/made", sockets);
    assert_int_equal(mkdir(sockets, 0700), 0);
    setenv("TMPDIR", sockets, 1);

    server.sin_family = AF_INET;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        bind(server_fd, (struct sockaddr *)&server, sizeof(server)), 0);
    assert_int_equal(listen(server_fd, 16), 0);
    assert_int_equal(getsockname(server_fd, (struct sockaddr *)&server, &len),
                     0);
    (void)state;
    return 0;
}

static int tear_down(void **state)
{
    close(server_fd);
    unlink(other);
    rmdir(other);
    unlink(file);
    rmdir(sockets);
    rmdir(directory);
    (void)state;
    return 0;
}

static int make_file(void **state)
{
    int fd;

    unlink(other);
    rmdir(other);
    fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    no_landlock = *state != NULL;
    return 0;
}

int main(void)
{
    static char without[] = "without Landlock";
    const struct CMUnitTest tests[] = {
        { "this process", test_this_process, make_file, NULL, NULL },
        { "this process, without Landlock", test_this_process, make_file, NULL,
          without },
        { "renames", test_renames, make_file, NULL, NULL },
        { "renames, without Landlock", test_renames, make_file, NULL, without },
        { "qemu-nbd", test_qemu, make_file, NULL, NULL },
        { "qemu-nbd, without Landlock", test_qemu, make_file, NULL, without },
        { "no filter", test_no_filter, make_file, NULL, NULL },
    };

    /* As in QEMU's emulation of a single program. */
    if (prctl(PR_GET_SECCOMP) < 0) {
        puts("1..0 # SKIP no seccomp");
        return 0;
    }
    return RUN_TESTS(tests, set_up, tear_down);
}
