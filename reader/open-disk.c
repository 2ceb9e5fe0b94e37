/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/open-disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "common/array.h"

#define OPEN_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY)

/* The time between two attempts to open a file with a write lease. */
#define LEASE_TICK_MS 20

/* Why a file of this mode is not a disk. NULL: it may be one. */
static const char *not_a_disk(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFBLK:
        return NULL;
    case S_IFDIR:
        return "is a directory";
    case S_IFIFO:
        return "is a FIFO, not a disk image; to read a pipe, give it as "
               "standard input";
    case S_IFSOCK:
        return "is a socket, not a disk image";
    case S_IFCHR:
        return "is a character device, not a disk image";
    default:
        return "is not a disk image";
    }
}

bool may_be_disk(mode_t mode)
{
    return !not_a_disk(mode);
}

static int check_type(const struct stat *st, const char *name,
                      struct error *error)
{
    const char *reason = not_a_disk(st->st_mode);

    if (!reason)
        return 0;
    return error_set(error, S_ISDIR(st->st_mode) ? EISDIR : EINVAL, "%s: %s",
                     name, reason);
}

/* Whether the files of a file system are made by the kernel when they are read.
 * To read one can have effects: /proc/kmsg waits for messages, and takes them
 * from whoever logs them. */
static bool is_kernels_own(const struct statfs *fs)
{
    static const unsigned long types[] = {
        PROC_SUPER_MAGIC,    SYSFS_MAGIC,          DEBUGFS_MAGIC,
        TRACEFS_MAGIC,       SECURITYFS_MAGIC,     SELINUX_MAGIC,
        SMACK_MAGIC,         AAFS_MAGIC,           CGROUP_SUPER_MAGIC,
        CGROUP2_SUPER_MAGIC, RDTGROUP_SUPER_MAGIC, EFIVARFS_MAGIC,
        PSTOREFS_MAGIC,      BPF_FS_MAGIC,         BINFMTFS_MAGIC,
        XENFS_SUPER_MAGIC,
    };

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if ((unsigned long)fs->f_type == types[i])
            return true;
    }
    return false;
}

bool is_made_by_kernel(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && is_kernels_own(&fs);
}

static bool is_handle_made_by_kernel(int handle)
{
    struct statfs fs;

    return fstatfs(handle, &fs) == 0 && is_kernels_own(&fs);
}

static bool is_same(int fd, const struct stat *known)
{
    struct stat st;

    return fstat(fd, &st) == 0 && st.st_dev == known->st_dev &&
           st.st_ino == known->st_ino &&
           (st.st_mode & S_IFMT) == (known->st_mode & S_IFMT);
}

/* Open the file of a descriptor once more, as open() does. */
static int reopen(int fd)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, OPEN_FLAGS);
}

/* Without /proc, open the name again. O_NONBLOCK: if it is a FIFO by now, do
 * not wait for a writer. A file with a write lease fails then, so try it again.
 */
static int open_again(const char *path)
{
    const struct timespec tick = { .tv_nsec = LEASE_TICK_MS * 1000000 };
    int fd;

    while ((fd = open(path, OPEN_FLAGS | O_NONBLOCK)) < 0 && errno == EAGAIN)
        nanosleep(&tick, NULL);
    if (fd >= 0)
        fcntl(fd, F_SETFL, 0);
    return fd;
}

/* Open the disk of a handle (O_PATH). */
static int open_handle(int handle, const char *path, const char *name, int *fd,
                       const struct stat *st, struct error *error)
{
    *fd = reopen(handle);
    if (*fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        *fd = open_again(path);
    if (*fd < 0)
        return error_set(error, errno, "%s: %s", name, strerror(errno));
    if (is_same(*fd, st))
        return 0;
    close(*fd);
    *fd = -1;
    return error_set(error, EBUSY, "%s: was replaced while it was opened",
                     name);
}

int open_disk(const char *path, const char *name, int *fd, struct stat *st,
              struct error *error)
{
    int handle = open(path, O_PATH | O_CLOEXEC);
    int err;

    if (handle < 0)
        return error_set(error, errno, "%s: %s", name, strerror(errno));
    if (fstat(handle, st) != 0)
        err = error_set(error, errno, "%s: %s", name, strerror(errno));
    else
        err = check_type(st, name, error);
    if (!err && S_ISREG(st->st_mode) && is_handle_made_by_kernel(handle))
        err = error_set(error, EINVAL,
                        "%s: is made by the kernel when it is read, not a disk "
                        "image; to read it, give it as standard input",
                        name);
    if (!err)
        err = open_handle(handle, path, name, fd, st, error);
    close(handle);
    return err;
}

int open_disk_again(int descriptor, const char *name, int *fd, bool *shared,
                    struct stat *st, struct error *error)
{
    int flags = fcntl(descriptor, F_GETFL);

    if (flags < 0 || fstat(descriptor, st) != 0)
        return error_set(error, errno, "%s: %s", name, strerror(errno));
    if (check_type(st, name, error))
        return error->code;
    if ((flags & O_ACCMODE) == O_WRONLY)
        return error_set(error, EBADF, "%s: is not open for reading", name);

    *shared = false;
    *fd = reopen(descriptor);
    if (*fd >= 0 && is_same(*fd, st))
        return 0;
    if (*fd >= 0)
        close(*fd);
    *shared = true;
    *fd = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (*fd < 0)
        return error_set(error, errno, "%s: %s", name, strerror(errno));
    return 0;
}
