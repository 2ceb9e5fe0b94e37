/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/qemu-files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether a descriptor of another process may be a disk. */
static bool is_disk(const char *link)
{
    struct stat st;

    return stat(link, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
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
    list = realloc(files->list, (files->count + 1) * sizeof(*list));
    if (!list)
        return error_set(error, ENOMEM, "%s: out of memory", name);
    files->list = list;
    if (file_open(link, name, &options, &reader, &cause) == 0) {
        if (known && reader_same_object(reader, known))
            reader->ops->close(reader);
        else
            list[files->count++] = reader;
    } else if (cause.code == EBUSY || cause.code == ENOMEM) {
        error_move(error, &cause);
    }
    error_clear(&cause);
    return error->code;
}

int qemu_files_open(struct qemu_files *files, pid_t pid, bool force_share,
                    const struct reader *known, struct error *error)
{
    char folder[32], link[64];
    struct dirent *entry;
    int err = 0;
    DIR *dir;

    snprintf(folder, sizeof(folder), "/proc/%ld/fd", (long)pid);
    dir = opendir(folder);
    while (dir && !err && (entry = readdir(dir))) {
        int fd = atoi(entry->d_name);

        /* Its standard streams are ours. */
        if (fd <= STDERR_FILENO)
            continue;
        snprintf(link, sizeof(link), "%s/%d", folder, fd);
        if (is_disk(link))
            err = add(files, link, force_share, known, error);
    }
    if (dir)
        closedir(dir);
    return err;
}

void qemu_files_close(struct qemu_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        files->list[i]->ops->close(files->list[i]);
    free(files->list);
    *files = (struct qemu_files){ .count = 0 };
}
