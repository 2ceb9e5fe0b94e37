/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The map of an image: ask the layers, from the top down, until the range is
 * allocated in one of them. Then ask the host object about its holes.
 */
#include "image/image.h"

#include <assert.h>
#include <errno.h>

#include "common/units.h"
#include "image/layer-map.h"
#include "image/open.h"

/*
 * Shrink holes to whole sectors. A file system has larger blocks, but a server
 * may report each byte on its own, and each extent costs memory and time.
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

/* Bytes in a hole of their host object, or beyond its end, are zeros. */
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

static int map(const struct image *image, uint64_t offset, uint64_t length,
               struct extent *extent, struct error *error)
{
    for (struct chain_layer *l = image->top; l; l = l->backing) {
        uint64_t size = l->layer.size;
        int err;

        /* A layer that ends earlier than the disk hides what is below. */
        if (offset >= size)
            break;
        if (length > size - offset)
            length = size - offset;
        err = layer_map(l, offset, length, extent, error);
        if (err)
            return err;
        if (extent->kind == EXTENT_DATA)
            return map_host(image, extent, error);
        if (extent->kind != EXTENT_UNALLOCATED)
            return 0;
        length = extent->length;
    }
    *extent = (struct extent){ .offset = offset, .length = length };
    return 0;
}

/* Map a range of the image, which is a part of the disk. If the part begins
 * within a sector, layers are asked from the start of a sector on: most formats
 * have no smaller pieces. */
static int map_part(const struct image *image, uint64_t offset, uint64_t length,
                    struct extent *extent, struct error *error)
{
    uint64_t from = image->start + offset;
    uint64_t at = image->start % SECTOR_SIZE ? from - from % SECTOR_SIZE : from;

    if (from >= image->end) {
        *extent = (struct extent){ .offset = offset, .length = length };
        return 0;
    }
    if (length > image->end - from)
        length = image->end - from;
    for (;;) {
        int err = map(image, at, from + length - at, extent, error);

        if (err)
            return err;
        /* The end of a file may be in the sector, before what is wanted. */
        if (at + extent->length > from)
            break;
        at += extent->length;
    }
    extent_advance(extent, from - at);
    extent->offset = offset;
    return 0;
}

/* The contract of extent.h, and what an image adds to it. */
static void check_contract(const struct extent *e, uint64_t offset,
                           uint64_t length)
{
    assert(e->offset == offset);
    assert(e->length > 0 && e->length <= length);
    assert(e->kind != EXTENT_UNALLOCATED);
    if (e->kind == EXTENT_ZERO)
        return;
    assert(e->host_offset < e->reader->size);
    if (e->kind == EXTENT_DATA) {
        assert(e->length <= e->reader->size - e->host_offset);
        return;
    }
    assert(e->codec != CODEC_NONE && e->host_length > 0);
    assert(e->skip < e->cluster_size && e->length <= e->cluster_size - e->skip);
}

int image_map(struct image *image, uint64_t offset, uint64_t length,
              struct extent *extent, struct error *error)
{
    int err;

    assert(length > 0);
    assert(offset < image->size && length <= image->size - offset);
    err = map_part(image, offset, length, extent, error);
    if (err)
        error_name_image(error, image->name);
    else
        check_contract(extent, offset, length);
    return err;
}

int image_bitmap(struct image *image, struct changes **changes,
                 struct error *error)
{
    struct layer *layer = &image->top->layer;
    struct reader *r = layer->reader;

    assert(image->bitmap);
    if (layer->ops->bitmap)
        return layer->ops->bitmap(layer, image->bitmap, changes, error);
    if (r->has_bitmap)
        return r->ops->bitmap(r, changes, error);
    if (image->top->qemu_files)
        return error_set(error, ENOTSUP,
                         "%s: no bitmap '%s': QEMU reads this image, and its "
                         "bitmaps are not available",
                         image->name, image->bitmap);
    return error_set(error, ENOTSUP,
                     "%s: no bitmap '%s': only qcow2 images and NBD exports "
                     "have bitmaps, and this is a %s image",
                     image->name, image->bitmap, image->format);
}

bool image_layer(const struct image *image, size_t n, struct image_layer *layer)
{
    const struct chain_layer *l = image->top;

    while (l && n--)
        l = l->backing;
    if (!l)
        return false;
    layer->name = l->layer.reader->name;
    layer->format = l->format;
    layer->size = l->layer.size;
    return true;
}

uint64_t image_allocated(const struct image *image)
{
    uint64_t sum = 0;

    bool is_part = image->end - image->start < image->top->layer.size;

    if (image->largest_cluster || image->no_extents || is_part)
        return 0;
    for (const struct chain_layer *l = image->top; l; l = l->backing) {
        if (!l->layer.reader->allocated)
            return 0;
        sum += l->layer.reader->allocated;
        for (size_t i = 0; i < l->layer.file_count; i++) {
            if (!l->layer.files[i]->allocated)
                return 0;
            sum += l->layer.files[i]->allocated;
        }
    }
    return sum;
}
