/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/whole-file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/array.h"
#include "common/read.h"
#include "image/image.h"
#include "list/header.h"

#define PART ".part"

/* --- what is there already ---------------------------------------------- */

/* Who forgets the FILE of an option, or mistakes it, must not lose a disk.
 * There may be a list, or nothing. */
static int check_content(const struct whole_file *f, int fd,
                         struct error *error)
{
    unsigned char start[LIST_MAGIC_SIZE];
    ssize_t n = pread_all(fd, start, sizeof(start), 0);

    if (n < 0)
        return error_set(error, errno,
                         "%s: cannot find out whether it is a digest list: %s",
                         f->name, strerror(errno));
    if (n > 0 && !list_is_list(start, (size_t)n))
        return error_set(error, EEXIST,
                         "%s: exists, and is not a digest list; remove it "
                         "first, or give another name",
                         f->name);
    return 0;
}

/* Check what a name leads to, if it is a regular file. */
static int check_replaced(const struct whole_file *f, struct error *error)
{
    int fd = openat(f->directory, f->base,
                    O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;
    int err = 0;

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st) != 0)
        err = error_set(error, errno, "%s: %s", f->name, strerror(errno));
    else if (S_ISREG(st.st_mode) && st.st_size &&
             image_is_for_raw_disks(f->name))
        err = error_set(error, EEXIST,
                        "%s: exists, and has the name of a raw disk", f->name);
    else if (S_ISREG(st.st_mode))
        err = check_content(f, fd, error);
    if (fd >= 0)
        close(fd);
    return err;
}

/* --- what is written directly ------------------------------------------- */

/* The descriptor that a name stands for; -1: none. To open such a name would
 * make another offset. */
static int named_descriptor(const char *name)
{
    static const char *const directories[] = { "/dev/fd/", "/proc/self/fd/" };

    if (strcmp(name, "-") == 0 || strcmp(name, "/dev/stdout") == 0)
        return STDOUT_FILENO;
    if (strcmp(name, "/dev/stderr") == 0)
        return STDERR_FILENO;
    for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
        size_t len = strlen(directories[i]);
        const char *number = name + len;
        char *end;
        long fd;

        if (strncmp(name, directories[i], len) != 0 || *number < '0' ||
            *number > '9')
            continue;
        errno = 0;
        fd = strtol(number, &end, 10);
        if (!*end && !errno && fd <= INT_MAX)
            return (int)fd;
    }
    return -1;
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_standard_output(const struct stat *st)
{
    struct stat out;

    return fstat(STDOUT_FILENO, &out) == 0 && is_same_file(st, &out);
}

static int use_descriptor(struct whole_file *f, int fd, struct error *error)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fstat(fd, &f->replaced) != 0)
        return error_set(error, errno, "%s: %s", f->name, strerror(errno));
    if ((flags & O_ACCMODE) == O_RDONLY || flags & O_PATH)
        return error_set(error, EBADF, "%s: is not open for writing", f->name);
    if (isatty(fd))
        return error_set(error, ENOTTY,
                         "%s: is a terminal; a digest list is binary", f->name);
    if (S_ISREG(f->replaced.st_mode) && !(flags & O_APPEND) &&
        lseek(fd, 0, SEEK_CUR) < f->replaced.st_size)
        return error_set(error, EEXIST,
                         "%s: is not at the end of its file, and would "
                         "overwrite what follows",
                         f->name);
    f->fd = fd;
    f->exists = true;
    f->is_stdout = fd == STDOUT_FILENO || is_standard_output(&f->replaced);
    return 0;
}

/* Opening a FIFO waits for its reader. */
static int open_special(struct whole_file *f, struct error *error)
{
    int fd = open(f->name, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    int err;

    if (fd < 0)
        return error_set(error, errno, "%s: %s", f->name, strerror(errno));
    err = use_descriptor(f, fd, error);
    if (err)
        close(fd);
    return err;
}

/* --- the part ----------------------------------------------------------- */

static int set_part_error(const struct whole_file *f, int err,
                          struct error *error)
{
    if (err == ELOOP)
        return error_set(error, err, "%s: is a symbolic link", f->part);
    return error_set(error, err, "%s: %s", f->part, strerror(err));
}

static int make_names(struct whole_file *f, struct error *error)
{
    const char *slash = strrchr(f->name, '/');

    f->base = slash ? slash + 1 : f->name;
    if (!*f->base)
        return error_set(error, EISDIR, "%s: is a directory", f->name);
    if (asprintf(&f->part, "%s" PART, f->name) < 0) {
        f->part = NULL;
        return error_no_memory(error, f->name);
    }
    f->part_base = f->part + (f->base - f->name);
    return 0;
}

static int open_directory(struct whole_file *f, struct error *error)
{
    char *path = strndup(f->name, f->base - f->name);
    int err = 0;

    if (!path)
        return error_no_memory(error, f->name);
    f->directory = open(*path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->directory < 0)
        err = error_set(error, errno, "%s: cannot open its directory: %s",
                        f->name, strerror(errno));
    free(path);
    return err;
}

/* In a directory where everybody can make files, such as /tmp, another user may
 * have made the part, and chosen what is in it. */
static bool is_planted(const struct whole_file *f, const struct stat *part)
{
    struct stat directory;

    if (fstat(f->directory, &directory) != 0)
        return true;
    return directory.st_mode & S_ISVTX &&
           directory.st_mode & (S_IWGRP | S_IWOTH) &&
           part->st_uid != geteuid() && part->st_uid != directory.st_uid;
}

/* Check that the part that was opened still has its name. Returns 0 or a
 * positive errno value: ESTALE if it has not. */
static int check_its_name(const struct whole_file *f)
{
    struct stat named;

    if (fstatat(f->directory, f->part_base, &named, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? ESTALE : errno;
    return is_same_file(&f->opened, &named) ? 0 : ESTALE;
}

/* A process that has just finished may have renamed it before it was locked. */
static int lock_part(const struct whole_file *f, struct error *error)
{
    int err;

    /* A file system without locks is not an error. */
    if (flock(f->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        err = ESTALE;
    else
        err = check_its_name(f);
    if (err == ESTALE)
        return error_set(error, EBUSY, "%s: another process is writing it",
                         f->part);
    return err ? set_part_error(f, err, error) : 0;
}

/* Who may not read what is replaced may not read what replaces it. */
static mode_t mode_of_part(const struct whole_file *f)
{
    return f->exists ? (f->replaced.st_mode & 0666) | 0600 : 0666;
}

static int open_part(struct whole_file *f, struct error *error)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC;
    struct stat *st = &f->opened;

    f->fd = openat(f->directory, f->part_base, flags | O_CREAT | O_EXCL,
                   mode_of_part(f));
    if (f->fd < 0 && errno == EEXIST) {
        f->existed = true;
        f->fd =
            openat(f->directory, f->part_base, flags | O_NONBLOCK | O_NOCTTY);
    }
    if (f->fd < 0 || fstat(f->fd, st) != 0)
        return set_part_error(f, errno, error);
    if (!S_ISREG(st->st_mode))
        return error_set(error, EINVAL, "%s: is not a regular file", f->part);
    if (is_standard_output(st))
        return error_set(error, EINVAL, "%s: is standard output", f->part);
    if (f->existed && is_planted(f, st))
        return error_set(error, EPERM, "%s: belongs to another user", f->part);
    if (f->existed && st->st_nlink > 1)
        return error_set(error, EMLINK,
                         "%s: has another name, too, so it may be another file",
                         f->part);
    return lock_part(f, error);
}

static int make_part(struct whole_file *f, struct error *error)
{
    int err = make_names(f, error);

    if (!err)
        err = open_directory(f, error);
    if (!err)
        err = check_replaced(f, error);
    return err ? err : open_part(f, error);
}

/* --- all ---------------------------------------------------------------- */

int whole_file_open(struct whole_file *f, const char *name, struct error *error)
{
    int fd = named_descriptor(name);
    struct stat *st = &f->replaced;

    *f = (struct whole_file){ .name = name, .fd = -1, .directory = -1 };
    if (fd >= 0)
        return use_descriptor(f, fd, error);
    f->exists = stat(name, st) == 0;
    if (!f->exists)
        return make_part(f, error);
    if (S_ISDIR(st->st_mode))
        return error_set(error, EISDIR, "%s: is a directory", name);
    if (S_ISBLK(st->st_mode))
        return error_set(error, EINVAL, "%s: is a block device", name);
    if (is_standard_output(st))
        return use_descriptor(f, STDOUT_FILENO, error);
    return S_ISREG(st->st_mode) ? make_part(f, error) : open_special(f, error);
}

int whole_file_rewind(const struct whole_file *f, struct error *error)
{
    if (lseek(f->fd, 0, SEEK_SET) < 0)
        return set_part_error(f, errno, error);
    return 0;
}

int whole_file_reopen(const struct whole_file *f, int *fd, struct error *error)
{
    int err;

    *fd = openat(f->directory, f->part_base, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0)
        return set_part_error(f, errno, error);
    err = check_its_name(f);
    return err ? set_part_error(f, err, error) : 0;
}

int whole_file_begin_anew(struct whole_file *f, struct error *error)
{
    if (ftruncate(f->fd, 0) != 0)
        return set_part_error(f, errno, error);
    return whole_file_rewind(f, error);
}

static bool is_file(const struct stat *st, dev_t device, ino_t inode)
{
    return st->st_dev == device && st->st_ino == inode;
}

const char *whole_file_destroys(const struct whole_file *f, dev_t device,
                                ino_t inode)
{
    if (f->exists && is_file(&f->replaced, device, inode))
        return f->name;
    return f->part && is_file(&f->opened, device, inode) ? f->part : NULL;
}

int whole_file_commit(struct whole_file *f, struct error *error)
{
    int err;

    if (!f->part)
        return 0;
    /* Another process may be writing a part of this name by now. */
    err = check_its_name(f);
    if (err == ESTALE)
        return error_set(error, ENOENT,
                         "%s: was removed or replaced while it was written",
                         f->part);
    if (err)
        return set_part_error(f, err, error);
    if (check_replaced(f, error))
        return error->code;
    if (renameat(f->directory, f->part_base, f->directory, f->base) != 0)
        return error_set(error, errno, "%s: cannot rename it: %s", f->part,
                         strerror(errno));
    /* EINVAL: this file system cannot sync a directory. */
    if (fsync(f->directory) != 0 && errno != EINVAL)
        return error_set(error, errno, "%s: cannot sync its directory: %s",
                         f->name, strerror(errno));
    return 0;
}

void whole_file_remove(struct whole_file *f)
{
    if (f->part && check_its_name(f) == 0)
        unlinkat(f->directory, f->part_base, 0);
}

void whole_file_close(struct whole_file *f)
{
    if (f->fd > STDERR_FILENO)
        close(f->fd);
    if (f->directory >= 0)
        close(f->directory);
    free(f->part);
}
