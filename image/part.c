/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/part.h"

#include <stdlib.h>
#include <string.h>

#include "common/path.h"
#include "image/recorded.h"

/* Find the path that a name stands for, as QEMU does: the name of an extent
 * starts from the directory of the image, that of a data file from the current
 * one, and is a path whatever it looks like. */
static int part_path(const struct part_opener *opener,
                     const struct recorded_name *name, char **path,
                     struct error *error)
{
    const char *base = NULL;

    if (name->kind == NAME_EXTENT) {
        if (path_of_name(name->name) != name->name)
            return recorded_refuse(opener->image, name->what, name->name,
                                   error);
        if (*name->name != '/' &&
            (!opener->base || !path_of_name(opener->base)))
            return recorded_no_place(opener->image, name->what, name->name,
                                     error);
        base = opener->base;
    }
    if (recorded_path(base, name->name, path))
        return error_no_memory(error, opener->image);
    return 0;
}

int part_open(void *arg, const struct recorded_name *name,
              struct reader **reader, struct error *error)
{
    const struct part_opener *opener = arg;
    struct error cause = ERROR_INIT;
    char *path;
    int err = part_path(opener, name, &path, error);

    if (err)
        return err;
    err = recorded_check_path(opener->image, name->what, path, error);
    if (!err) {
        err = file_open(path, path, &opener->files, reader, &cause);
        if (err)
            error_set(error, err, "%s: cannot open its %s: %s", opener->image,
                      name->what, error_message(&cause));
        error_clear(&cause);
    }
    free(path);
    return err;
}
