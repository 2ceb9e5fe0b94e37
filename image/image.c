/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The map of an image: ask the layers from the top down until one has
 * something, and the host object about its holes.
 */
#include "image/image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/units.h"
#include "format/layer.h"

void extent_advance(struct extent *extent, uint64_t n)
{
    extent->offset += n;
    extent->length -= n;
    if (extent->kind == EXTENT_DATA)
        extent->host_offset += n;
    else if (extent->kind == EXTENT_COMPRESSED)
        extent->skip += n;
}

/* A layer is asked for all that it can tell, and once: what the chain or the
 * host cuts into pieces is not looked up again for each of them. */
static int layer_map(struct layer *layer, uint64_t offset, uint64_t length,
                     struct extent *extent, struct error *error)
{
    const struct extent *last = &layer->extent;

    if (offset < last->offset || offset - last->offset >= last->length) {
        struct extent found;
        int err =
            layer->ops->map(layer, offset, layer->size - offset, &found, error);

        if (err)
            return err;
        layer->extent = found;
    }
    *extent = *last;
    extent_advance(extent, offset - last->offset);
    if (extent->length > length)
        extent->length = length;
    return 0;
}

/*
 * Holes are whole sectors here. A file system has larger blocks, but a server
 * may tell of each byte alone, and each extent costs memory and time.
 */
static void to_sectors(uint64_t offset, uint64_t length,
                       struct reader_extent *host)
{
    uint64_t rest = (offset + host->length) % SECTOR_SIZE;

    if (rest == 0 || host->length == length)
        return;
    if (host->hole && host->length > rest) {
        host->length -= rest;
        return;
    }
    host->hole = false;
    host->length += SECTOR_SIZE - rest;
    if (host->length > length)
        host->length = length;
}

/* Host bytes beyond the end of their object, and in its holes, are zeros. */
static int map_host(const struct image *image, struct extent *extent,
                    struct error *error)
{
    struct reader *r = extent->reader;
    struct reader_extent host;
    int err;

    if (extent->host_offset >= r->size) {
        extent->kind = EXTENT_ZERO;
        return 0;
    }
    if (extent->length > r->size - extent->host_offset)
        extent->length = r->size - extent->host_offset;

    err = r->ops->extent(r, extent->host_offset, extent->length, &host, error);
    if (err)
        return err;
    to_sectors(extent->host_offset, extent->length, &host);
    extent->length = host.length;
    extent->hole = host.hole;
    if (host.hole && !image->no_extents)
        extent->kind = EXTENT_ZERO;
    return 0;
}

int image_map(struct image *image, uint64_t offset, uint64_t length,
              struct extent *extent, struct error *error)
{
    for (struct layer *layer = image->top; layer; layer = layer->backing) {
        int err;

        /* A short layer is zeros after its end, and hides what is below. */
        if (offset >= layer->size)
            break;
        if (length > layer->size - offset)
            length = layer->size - offset;
        err = layer_map(layer, offset, length, extent, error);
        if (err)
            return err;
        if (extent->kind == EXTENT_DATA)
            return map_host(image, extent, error);
        if (extent->kind != EXTENT_ABSENT)
            return 0;
        length = extent->length;
    }
    *extent = (struct extent){ .offset = offset, .length = length };
    return 0;
}

bool image_layer(const struct image *image, size_t n, struct image_layer *layer)
{
    const struct layer *l = image->top;

    while (l && n--)
        l = l->backing;
    if (!l)
        return false;
    layer->name = l->reader->name;
    layer->format = l->format;
    return true;
}

uint64_t image_allocated(const struct image *image)
{
    uint64_t sum = 0;

    if (image->largest_cluster || image->no_extents)
        return 0;
    for (const struct layer *l = image->top; l; l = l->backing) {
        const struct reader *r = l->data_file ? l->data_file : l->reader;

        if (!r->allocated)
            return 0;
        sum += r->allocated;
    }
    return sum;
}

/* QEMU may have a file open more than once. */
static bool is_warned(const struct image *image, const char *text)
{
    for (size_t i = 0; i < image->warning_count; i++) {
        if (strcmp(image->warnings[i], text) == 0)
            return true;
    }
    return false;
}

int image_warn(struct image *image, struct error *error, const char *format,
               ...)
{
    size_t size = (image->warning_count + 1) * sizeof(*image->warnings);
    char **warnings = realloc(image->warnings, size);
    char *text;
    va_list args;
    int n = -1;

    if (warnings) {
        image->warnings = warnings;
        va_start(args, format);
        n = vasprintf(&text, format, args);
        va_end(args);
    }
    if (n < 0)
        return error_set(error, ENOMEM, "%s: out of memory", image->name);
    if (is_warned(image, text))
        free(text);
    else
        image->warnings[image->warning_count++] = text;
    return 0;
}

/* The user who reads an image that is in use knows that it may change. */
static int warn_changed(struct image *image, const struct reader *r,
                        struct error *change, struct error *error)
{
    const char *text = error_message(change);
    size_t n = strlen(r->name);
    int err;

    if (strncmp(text, r->name, n) == 0 && strncmp(text + n, ": ", 2) == 0)
        text += n + 2;
    err = image_warn(image, error, "%s: warning: %s", r->name, text);
    error_clear(change);
    return err;
}

static int tell_warning(struct image *image, struct reader *r,
                        struct error *error)
{
    int err = 0;

    if (r->warning)
        err = image_warn(image, error, "%s: warning: %s", r->name, r->warning);
    r->warning = NULL;
    return err;
}

static int check_unchanged(struct image *image, struct reader *r,
                           struct error *error)
{
    struct error change = ERROR_INIT;
    int err = r->ops->check_unchanged(r, &change);

    if (err && image->force_share)
        return warn_changed(image, r, &change, error);
    if (err)
        error_move(error, &change);
    return err ? err : tell_warning(image, r, error);
}

typedef int visitor(struct image *image, struct reader *r, struct error *error);

static int visit_layer(struct image *image, const struct layer *layer,
                       visitor *visit, struct error *error)
{
    const struct qemu_files *files = &layer->qemu_files;
    int err = visit(image, layer->reader, error);

    if (!err && layer->data_file)
        err = visit(image, layer->data_file, error);
    if (!err && layer->container)
        err = visit(image, layer->container, error);
    for (size_t i = 0; !err && i < files->count; i++)
        err = visit(image, files->list[i], error);
    return err;
}

/* Visit the readers of all layers, until an error. */
static int visit_all(struct image *image, visitor *visit, struct error *error)
{
    int err = 0;

    for (struct layer *layer = image->top; !err && layer;
         layer = layer->backing)
        err = visit_layer(image, layer, visit, error);
    return err;
}

int image_tell_warnings(struct image *image, struct error *error)
{
    return visit_all(image, tell_warning, error);
}

int image_check_unchanged(struct image *image, struct error *error)
{
    return visit_all(image, check_unchanged, error);
}
