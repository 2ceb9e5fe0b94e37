/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/path.h"
#include "image/recorded.h"
#include "nbd/nbd.h"

/* A server must not choose files of this host, and a relative name needs a
 * directory. */
static int check_place(const struct part_opener *opener,
                       const struct recorded_name *name, struct error *error)
{
    bool absolute = *name->name == '/';

    if (!opener->served && (absolute || opener->base))
        return 0;
    if (absolute)
        return error_set(error, EPERM,
                         "%s: cannot open its %s '%s': the image is in no "
                         "directory",
                         opener->image, name->what, name->name);
    /* With --trust-names, QEMU takes the name for one on the server. */
    if (opener->base && !is_nbd_uri(opener->base))
        return recorded_refuse(opener->image, name->what, name->name, error);
    return recorded_no_place(opener->image, name->what, name->name, error);
}

/* Find the path that a name stands for, as QEMU does: the name of an extent
 * starts from the directory of the image, that of a data file from the current
 * one, and is a path whatever it looks like. */
static int part_path(const struct part_opener *opener,
                     const struct recorded_name *name, char **path,
                     struct error *error)
{
    const char *base = NULL;
    int err;

    if (name->kind == NAME_EXTENT) {
        base = opener->base;
        if (path_of_name(name->name) != name->name)
            return recorded_refuse(opener->image, name->what, name->name,
                                   error);
        err = check_place(opener, name, error);
        if (err)
            return err;
    }
    if (recorded_path(base, name->name, path))
        return error_no_memory(error, opener->image);
    return 0;
}

/* A disk of many extents needs more descriptors than processes commonly may
 * have: 1,024 files of 2 GiB are 2 TiB. Half of them are left for the rest. */
static void raise_limit(const struct part_opener *opener)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        opener->count <= limit.rlim_cur / 2)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int part_open(void *arg, const struct recorded_name *name,
              struct reader **reader, struct error *error)
{
    struct part_opener *opener = arg;
    struct error cause = ERROR_INIT;
    char *path;
    int err = part_path(opener, name, &path, error);

    if (err)
        return err;
    err = recorded_check_path(opener->image, name->what, path, error);
    if (!err) {
        opener->count++;
        raise_limit(opener);
        err = file_open(path, path, &opener->files, reader, &cause);
        if (err)
            error_set(error, err, "%s: cannot open its %s: %s", opener->image,
                      name->what, error_message(&cause));
        error_clear(&cause);
    }
    free(path);
    return err;
}
