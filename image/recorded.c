/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/recorded.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "reader/open-disk.h"
#include "reader/proc-link.h"

int recorded_refuse(const char *image, const char *what, const char *name,
                    struct error *error)
{
    return error_set(
        error, EPERM,
        "%s: its %s '%s' is not a plain file; use --trust-names to "
        "follow such a name",
        image, what, name);
}

int recorded_no_place(const char *image, const char *what, const char *name,
                      struct error *error)
{
    return error_set(
        error, EINVAL,
        "%s: cannot open its %s '%s': the name is relative, but the "
        "image is in no directory",
        image, what, name);
}

int recorded_check_format(const char *image, const char *what,
                          const char *format, struct error *error)
{
    if (!format || format_find(format))
        return 0;
    return error_set(
        error, ENOTSUP,
        "%s: the format that it records for its %s, '%s', is not an "
        "image format",
        image, what, format);
}

int recorded_check_path(const char *image, const char *what, const char *path,
                        struct error *error)
{
    if (has_proc_link(path))
        return error_set(error, EPERM,
                         "%s: its %s '%s' is a file that a process has open",
                         image, what, path);
    if (is_made_by_kernel(path))
        return error_set(error, EPERM,
                         "%s: cannot open its %s: %s: is made by the kernel "
                         "when it is read, not a disk image",
                         image, what, path);
    return 0;
}

int recorded_path(const char *base, const char *name, char **path)
{
    const char *slash = base ? strrchr(base, '/') : NULL;

    if (*name == '/' || !slash)
        *path = strdup(name);
    else if (asprintf(path, "%.*s%s", (int)(slash + 1 - base), base, name) < 0)
        *path = NULL;
    return *path ? 0 : ENOMEM;
}
