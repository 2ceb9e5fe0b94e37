/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/path.h"

#include <stdio.h>
#include <string.h>

const char *path_of_name(const char *name)
{
    if (strncmp(name, "file:", 5) == 0)
        return name + 5;
    /* As in QEMU, what is before a colon is a protocol, unless a slash comes
     * first. */
    return name[strcspn(name, ":/")] == ':' ? NULL : name;
}

char *plain_path(const char *path)
{
    char *plain;

    if (path_of_name(path) == path)
        return strdup(path);
    return asprintf(&plain, "./%s", path) < 0 ? NULL : plain;
}
