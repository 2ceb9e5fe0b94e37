/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Raw: the bytes of the host object, and zeros up to the end of the last
 * sector. The holes of the host are the holes of the guest.
 */
#include "image/image.h"

#include <errno.h>
#include <stdlib.h>

#include "common/units.h"

static int raw_map(struct image *image, uint64_t offset, uint64_t length,
                   struct extent *extent, struct error *error)
{
    struct reader *r = image->reader;
    struct reader_extent host;
    int err;

    *extent = (struct extent){ .offset = offset, .length = length };
    if (offset >= r->size) {
        extent->kind = EXTENT_ZERO;
        return 0;
    }
    if (length > r->size - offset)
        length = r->size - offset;

    err = r->ops->extent(r, offset, length, &host, error);
    if (err)
        return err;
    extent->length = host.length;
    extent->kind = host.hole ? EXTENT_ZERO : EXTENT_DATA;
    extent->reader = r;
    extent->host_offset = offset;
    return 0;
}

static void raw_close(struct image *image)
{
    image->reader->ops->close(image->reader);
    free(image);
}

static const struct image_ops raw_ops = {
    .format = "raw",
    .map = raw_map,
    .close = raw_close,
};

int raw_open(struct reader *reader, struct image **image, struct error *error)
{
    struct image *raw;
    uint64_t padding = -reader->size % SECTOR_SIZE;

    /* No host object is larger than an off_t tells, 2^63 - 1, but the last
     * sector may end beyond that. */
    if (reader->size > (uint64_t)INT64_MAX - padding)
        return error_set(error, EFBIG, "%s: the file is too large",
                         reader->name);
    raw = calloc(1, sizeof(*raw));
    if (!raw)
        return error_set(error, ENOMEM, "%s: out of memory", reader->name);
    raw->ops = &raw_ops;
    raw->reader = reader;
    raw->size = reader->size + padding;
    *image = raw;
    return 0;
}
