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

/* Whether a descriptor of the process may be that of a disk. */
static bool is_disk(int fd, const char *link)
{
    struct stat st;

    return stat(link, &st) == 0 && may_be_disk(st.st_mode) &&
           !is_inherited(fd, &st);
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
    struct error cause = ERROR_INIT;
    struct reader **list, *reader;
    char name[PATH_MAX];
    ssize_t n = readlink(link, name, sizeof(name) - 1);

    if (n < 0)
        return 0;
    name[n] = '\0';
    if (check_read_only(link, name, error))
        return error->code;
    list = realloc(files->list, (files->count + 1) * sizeof(*list));
    if (!list)
        return error_no_memory(error, name);
    files->list = list;
    if (file_open(link, name, &options, &reader, &cause) == 0) {
        if (is_known(files, known, reader))
            reader->ops->close(reader);
        else
            list[files->count++] = reader;
    } else if (cause.code == EBUSY || cause.code == ENOMEM) {
        error_move(error, &cause);
    }
    error_clear(&cause);
    return error->code;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(struct reader *const *)a)->name,
                  (*(struct reader *const *)b)->name);
}

int qemu_files_open(pid_t pid, const char *name, bool force_share,
                    const struct reader *known, struct qemu_files **files,
                    struct error *error)
{
    char directory[32], link[64];
    struct dirent *entry;
    int err = 0;
    DIR *dir;

    if (!*files)
        *files = calloc(1, sizeof(**files));
    if (!*files)
        return error_no_memory(error, name);
    snprintf(directory, sizeof(directory), "/proc/%ld/fd", (long)pid);
    dir = proc_is_ours() ? opendir(directory) : NULL;
    while (dir && !err && (entry = readdir(dir))) {
        int fd = atoi(entry->d_name);

        snprintf(link, sizeof(link), "%s/%d", directory, fd);
        if (is_disk(fd, link))
            err = add(*files, link, force_share, known, error);
    }
    if (dir)
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
