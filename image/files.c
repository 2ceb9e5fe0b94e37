/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files that an image is read from. They say which image it is.
 */
#include "image/image.h"
#include "image/open.h"
#include "qemu/files.h"

/* Reader n of a list. NULL: it has fewer, and *n is what is left. */
static const struct reader *pick(struct reader *const *list, size_t count,
                                 size_t *n)
{
    if (*n < count)
        return list[*n];
    *n -= count;
    return NULL;
}

/* File n of a layer, likewise. What a QEMU makes of files is none itself,
 * unless there may be more behind it than these. */
static const struct reader *layer_file(const struct chain_layer *l, size_t *n)
{
    static const struct qemu_files none;
    const struct qemu_files *qemu = l->qemu_files ? l->qemu_files : &none;
    bool made_of_files = !l->networked && (l->container || qemu->count);
    const struct reader *r = pick(&l->layer.reader, made_of_files ? 0 : 1, n);

    if (!r)
        r = pick(&l->container, l->container ? 1 : 0, n);
    if (!r)
        r = pick(l->layer.files, l->layer.file_count, n);
    return r ? r : pick(qemu->list, qemu->count, n);
}

bool image_file(const struct image *image, size_t layer, size_t n,
                struct image_file *file)
{
    const struct chain_layer *l = image->top;
    const struct reader *r = NULL;

    while (l && layer--)
        l = l->backing;
    for (; l && !r; l = l->backing)
        r = layer_file(l, &n);
    if (!r)
        return false;
    *file =
        (struct image_file){ .name = r->name, .size = r->size, .id = r->id };
    if (r->ops->get_state)
        r->ops->get_state(r, &file->state);
    return true;
}
