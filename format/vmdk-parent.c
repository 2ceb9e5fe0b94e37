/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a VMDK image is made on: its parent, and the CIDs, which change when a
 * disk is written.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/path.h"
#include "format/parent-name.h"
#include "format/vmdk.h"

/* A name with backslashes can be that of a file here. Most often it is a path
 * of Windows, and the parent came here with the image. */
static int add_windows_names(struct layer *layer, const char *name,
                             struct error *error)
{
    const char *last = strrchr(name, '\\') + 1;
    char *path = strdup(name);
    int err;

    if (!path)
        return error_no_memory(error, layer->reader->name);
    err = parent_name_add_windows(layer, path, error);
    free(path);
    return err || !*last ? err : parent_name_add(layer, last, error);
}

/* Any other name stays as it is, since it may be one that is refused. */
static int set_parent(struct layer *layer, const char *name, size_t len,
                      struct error *error)
{
    char *copy = strndup(name, len);
    bool windows = copy && strchr(copy, '\\');
    int err = 0;

    layer->backing_format = strdup("vmdk");
    if (!copy || !layer->backing_format)
        err = error_no_memory(error, layer->reader->name);
    if (!err && windows && path_of_name(copy) != copy)
        err = add_windows_names(layer, copy, error);
    if (!err && !layer->backing_names[0]) {
        layer->backing_names[0] = copy;
        copy = NULL;
        if (windows)
            err = add_windows_names(layer, layer->backing_names[0], error);
    }
    free(copy);
    return err;
}

static int find_parent(struct layer *layer,
                       const struct vmdk_identity *identity,
                       struct error *error)
{
    const char *end, *name = vmdk_find_parent(identity, &end);

    if (!name)
        return 0;
    if (*end != '"' || end - name >= PATH_MAX)
        return error_set(error, EINVAL,
                         "%s: broken VMDK image: the name of its parent has no "
                         "end, or is too long",
                         layer->reader->name);
    return end == name ? 0 : set_parent(layer, name, end - name, error);
}

/* QEMU needs both CIDs, also where nobody compares them. */
static int read_cids(struct vmdk *v, const struct vmdk_identity *identity,
                     struct error *error)
{
    if (vmdk_find_cid(identity, "CID", &v->cid) &&
        vmdk_find_cid(identity, "parentCID", &v->parent_cid))
        return 0;
    return error_set(
        error, EINVAL,
        "%s: this VMDK file has no CID and parentCID; if it is one "
        "of several files of an image, give the file that "
        "describes the image",
        v->layer->reader->name);
}

int vmdk_read_parent(struct vmdk *v, uint64_t offset, struct error *error)
{
    struct vmdk_identity identity;
    int err = vmdk_read_identity(v->layer->reader, offset, &identity, error);

    if (!err)
        err = read_cids(v, &identity, error);
    return err ? err : find_parent(v->layer, &identity, error);
}

/* QEMU only looks at the CIDs where it reads the parent. */
int vmdk_check_backing(const struct layer *layer, const struct layer *backing,
                       struct error *error)
{
    const struct vmdk *v = vmdk_of(layer);

    if (backing->ops != layer->ops)
        return error_set(error, ENOTSUP,
                         "%s: cannot check that '%s' is its parent",
                         layer->reader->name, backing->reader->name);
    if (vmdk_of(backing)->cid == v->parent_cid)
        return 0;
    return error_set(error, EINVAL,
                     "%s: its parent '%s' was changed, or is another disk: the "
                     "CID is %08" PRIx32 ", not %08" PRIx32,
                     layer->reader->name, backing->reader->name,
                     vmdk_of(backing)->cid, v->parent_cid);
}
