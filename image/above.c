/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the layers above a file of the backing chain have: where none of them
 * has anything, the disk is that of the file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/path.h"
#include "image/image.h"
#include "image/layer-map.h"

/* As many names of a chain as a message has. */
#define MAX_NAMES 16

struct above {
    struct changes changes;
    struct image *image;
    const struct chain_layer *end; /* the first layer that is not above */
};

/* --- finding the file --------------------------------------------------- */

/* What a name of a file stands for. */
struct wanted {
    const char *name;
    struct object_id id; /* both 0: only the name tells */
};

static int find_object(struct wanted *w, struct error *error)
{
    const char *path = path_of_name(w->name);
    struct stat st;

    if (!path)
        return 0;
    if (stat(path, &st) != 0)
        return error_set(error, errno, "%s: %s", w->name, strerror(errno));
    if (S_ISBLK(st.st_mode))
        w->id.device = st.st_rdev;
    else
        w->id = (struct object_id){ st.st_dev, st.st_ino };
    return 0;
}

static bool is_wanted(const struct reader *r, const struct wanted *w)
{
    if (w->id.device || w->id.inode)
        return r->id.device == w->id.device && r->id.inode == w->id.inode;
    return strcmp(r->name, w->name) == 0;
}

/* Whether a layer is in a file. QEMU may read the layer from it. */
static bool is_in(const struct chain_layer *l, const struct wanted *w)
{
    return is_wanted(l->layer.reader, w) ||
           (l->container && is_wanted(l->container, w));
}

/* The layer in a file, and its number. NULL: there is none. */
static const struct chain_layer *find_layer(const struct image *image,
                                            const struct wanted *w, size_t *n)
{
    const struct chain_layer *l = image->top;

    *n = 0;
    while (l && !is_in(l, w)) {
        l = l->backing;
        ++*n;
    }
    return l;
}

/* Write "'top.qcow2', 'base.raw'": the names of a chain. The caller frees them.
 * NULL when out of memory. */
static char *join_names(const struct image *image)
{
    struct image_layer layer;
    char *text = NULL;
    size_t size, n = 0;
    FILE *f = open_memstream(&text, &size);
    bool written;

    if (!f)
        return NULL;
    for (; n < MAX_NAMES && image_layer(image, n, &layer); n++)
        fprintf(f, "%s'%s'", n ? ", " : "", layer.name);
    if (image_layer(image, n, &layer))
        fputs(" and others", f);
    written = fclose(f) == 0;
    if (!written)
        free(text);
    return written ? text : NULL;
}

/* The file is not in the chain, or in a part of it that only QEMU sees. */
static int set_not_found(const struct image *image, const char *file,
                         struct error *error)
{
    char *names;
    int err;

    for (const struct chain_layer *l = image->top; l; l = l->backing) {
        if (l->qemu_files)
            return error_set(error, ENOTSUP,
                             "%s: QEMU reads '%s' and all layers below it, so "
                             "disksum cannot tell what is above '%s'",
                             image->name, l->layer.reader->name, file);
    }
    names = join_names(image);
    if (!names)
        return error_no_memory(error, image->name);
    err = error_set(error, ENOENT,
                    "%s: '%s' is not in its backing chain, which has %s",
                    image->name, file, names);
    free(names);
    return err;
}

static int check_file(const struct image *image, const struct chain_layer *l,
                      const char *file, struct error *error)
{
    if (!l)
        return set_not_found(image, file, error);
    if (l == image->top)
        return error_set(error, EINVAL,
                         "%s: '%s' is the image itself, not a file below it",
                         image->name, file);
    if (l->layer.size != image->size)
        return error_set(error, EINVAL,
                         "%s: the disk was resized: it has %" PRIu64
                         " bytes, and that of '%s' has %" PRIu64,
                         image->name, image->size, file, l->layer.size);
    return 0;
}

int image_find_layer(const struct image *image, const char *file, size_t *n,
                     struct error *error)
{
    struct wanted wanted = { .name = file };
    int err = find_object(&wanted, error);

    return err ? err
               : check_file(image, find_layer(image, &wanted, n), file, error);
}

/* --- the changes -------------------------------------------------------- */

static int above_next(struct changes *changes, uint64_t offset, uint64_t length,
                      struct change *change, struct error *error)
{
    const struct above *a = (const struct above *)changes;

    *change = (struct change){ .length = length };
    for (struct chain_layer *l = a->image->top; l != a->end; l = l->backing) {
        uint64_t size = l->layer.size;
        struct extent extent;
        int err;

        /* A layer that ends earlier than the disk hides what is below. */
        change->changed = offset >= size;
        if (change->changed)
            break;
        if (change->length > size - offset)
            change->length = size - offset;
        err = layer_map(l, offset, change->length, &extent, error);
        if (err) {
            error_name_image(error, a->image->name);
            return err;
        }
        change->length = extent.length;
        change->changed = extent.kind != EXTENT_UNALLOCATED;
        if (change->changed)
            break;
    }
    return 0;
}

static void above_free(struct changes *changes)
{
    free(changes);
}

int image_changes_above(struct image *image, size_t n, struct changes **changes,
                        struct error *error)
{
    struct above *a = malloc(sizeof(*a));

    if (!a)
        return error_no_memory(error, image->name);
    *a = (struct above){
        .changes = { .next = above_next, .free = above_free },
        .image = image,
        .end = image->top,
    };
    while (n--)
        a->end = a->end->backing;
    *changes = &a->changes;
    return 0;
}
