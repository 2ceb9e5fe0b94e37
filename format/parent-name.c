/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/parent-name.h"

#include <stdlib.h>
#include <string.h>

#include "common/path.h"

/* "./" at the start, which Windows writes, would come again for each image of a
 * chain. */
static const char *skip_here(const char *path)
{
    while (path[0] == '.' && path[1] == '/')
        path += 1 + strspn(path + 1, "/");
    return path;
}

static const char *last_component(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Add a path. A relative one must not be taken for a protocol. */
static int add(struct layer *layer, const char *path, struct error *error)
{
    char *plain;
    size_t i;

    path = skip_here(path);
    if (!*last_component(path))
        return 0;
    plain = plain_path(path);
    if (!plain)
        return error_no_memory(error, layer->reader->name);
    for (i = 0; i < LAYER_BACKING_NAMES && layer->backing_names[i]; i++) {
        if (strcmp(layer->backing_names[i], plain) == 0)
            break;
    }
    if (i == LAYER_BACKING_NAMES || layer->backing_names[i])
        free(plain);
    else
        layer->backing_names[i] = plain;
    return 0;
}

int parent_name_add(struct layer *layer, const char *path, struct error *error)
{
    int err = add(layer, path, error);

    return err || *path != '/' ? err : add(layer, last_component(path), error);
}

static bool has_drive(const char *path)
{
    return ((path[0] >= 'A' && path[0] <= 'Z') ||
            (path[0] >= 'a' && path[0] <= 'z')) &&
           path[1] == ':';
}

int parent_name_add_windows(struct layer *layer, char *path,
                            struct error *error)
{
    for (char *p = path; *p; p++) {
        if (*p == '\\')
            *p = '/';
    }
    if (has_drive(path))
        return add(layer, last_component(path + 2), error);
    if (strncmp(path, "//", 2) == 0)
        return add(layer, last_component(path), error);
    return parent_name_add(layer, path, error);
}
