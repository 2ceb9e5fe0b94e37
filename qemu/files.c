/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/proc.h"
#include "reader/open-disk.h"

/* Whether the process inherited a descriptor from this one, which inherited it
 * from the user: a standard stream, or one that is not closed on exec. */
static bool is_inherited(int fd, const struct stat *theirs)
{
    int flags = fcntl(fd, F_GETFD);
    struct stat ours;

    return fd <= STDERR_FILENO ||
           (flags >= 0 && !(flags & FD_CLOEXEC) && fstat(fd, &ours) == 0 &&
            ours.st_dev == theirs->st_dev && ours.st_ino == theirs->st_ino);
}

/* Whether a descriptor of the process may be that of a disk. One that cannot be
 * looked at may be, unless it was closed meanwhile. */
static bool is_disk(int fd, const char *link)
{
    struct stat st;

    if (stat(link, &st) != 0)
        return errno != ENOENT;
    return may_be_disk(st.st_mode) && !is_inherited(fd, &st);
}

/* Confinement keeps QEMU from opening a disk for writing. If QEMU has found a
 * way, the disk may no longer be what it was. */
static int check_read_only(const char *link, const char *name,
                           struct error *error)
{
    struct stat st;

    if (lstat(link, &st) != 0 || !(st.st_mode & S_IWUSR)) /* proc(5) */
        return 0;
    return error_set(error, EPERM, "%s: QEMU opened it for writing", name);
}

/* QEMU may have a file open more than once. */
static bool is_known(const struct qemu_files *files, const struct reader *known,
                     const struct reader *reader)
{
    bool found = known && reader_same_object(reader, known);

    for (size_t i = 0; !found && i < files->count; i++)
        found = reader_same_object(reader, files->list[i]);
    return found;
}

static int add(struct qemu_files *files, const char *link, bool force_share,
               const struct reader *known, struct error *error)
{
    const struct file_options options = { .force_share = force_share };
    struct reader **list, *reader;
    char name[PATH_MAX];
    ssize_t n = readlink(link, name, sizeof(name) - 1);

    if (n < 0 && errno == ENOENT)
        return 0;
    if (n < 0)
        return error_set(error, errno, "%s: %s", link, strerror(errno));
    name[n] = '\0';
    if (check_read_only(link, name, error))
        return error->code;
    list = realloc(files->list, (files->count + 1) * sizeof(*list));
    if (!list)
        return error_no_memory(error, name);
    files->list = list;
    if (file_open(link, name, &options, &reader, error))
        return error->code;
    if (is_known(files, known, reader))
        reader->ops->close(reader);
    else
        list[files->count++] = reader;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(struct reader *const *)a)->name,
                  (*(struct reader *const *)b)->name);
}

/* Who does not see a file cannot tell whether it has changed. */
static int cannot_find(const char *name, int code, struct error *error)
{
    return error_set(error, code,
                     "%s: cannot find out in /proc which files QEMU reads: %s",
                     name, strerror(code));
}

static int add_all(struct qemu_files *files, DIR *dir, const char *directory,
                   const char *name, bool force_share,
                   const struct reader *known, struct error *error)
{
    struct dirent *entry;
    char link[64];
    int err = 0;

    while (!err && (errno = 0, entry = readdir(dir))) {
        int fd = atoi(entry->d_name);

        snprintf(link, sizeof(link), "%s/%d", directory, fd);
        if (is_disk(fd, link))
            err = add(files, link, force_share, known, error);
    }
    return err || !errno ? err : cannot_find(name, errno, error);
}

int qemu_files_open(pid_t pid, const char *name, bool force_share,
                    const struct reader *known, struct qemu_files **files,
                    struct error *error)
{
    char directory[32];
    int err;
    DIR *dir;

    if (!*files)
        *files = calloc(1, sizeof(**files));
    if (!*files)
        return error_no_memory(error, name);
    if (!proc_is_ours())
        return cannot_find(name, ENOENT, error);
    snprintf(directory, sizeof(directory), "/proc/%ld/fd", (long)pid);
    dir = opendir(directory);
    if (!dir)
        return cannot_find(name, errno, error);
    err = add_all(*files, dir, directory, name, force_share, known, error);
    closedir(dir);
    if ((*files)->count)
        qsort((*files)->list, (*files)->count, sizeof(*(*files)->list),
              compare_names);
    return err;
}

void qemu_files_close(struct qemu_files *files)
{
    if (!files)
        return;
    for (size_t i = 0; i < files->count; i++)
        files->list[i]->ops->close(files->list[i]);
    free(files->list);
    free(files);
}
