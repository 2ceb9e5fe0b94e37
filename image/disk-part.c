/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/disk-part.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/bytes.h"
#include "common/units.h"
#include "image/open.h"

int disk_part_end(const struct image_options *options, const char *name,
                  uint64_t size, uint64_t *end, struct error *error)
{
    uint64_t offset = options->offset;

    if (offset > size)
        return error_set(error, EINVAL,
                         "%s: the offset %" PRIu64
                         " is beyond the end of the disk, which has %" PRIu64
                         " bytes",
                         name, offset, size);
    *end = size;
    if (!options->has_length)
        return 0;
    /* The sum may overflow. */
    if (options->length > size - offset)
        return error_set(error, EINVAL,
                         "%s: %" PRIu64 " bytes at offset %" PRIu64
                         " end beyond the end of the disk, which has %" PRIu64
                         " bytes",
                         name, options->length, offset, size);
    *end = offset + options->length;
    return 0;
}

int disk_part_choose(struct image *image, const struct image_options *options,
                     struct error *error)
{
    const struct layer *layer = &image->top->layer;
    bool is_raw = strcmp(image->top->format, "raw") == 0;
    uint64_t end;
    int err = disk_part_end(options, image->name, layer->size, &end, error);

    if (err)
        return err;
    image->start = options->offset;
    image->end = end;
    image->size = round_up(end - image->start, SECTOR_SIZE);
    image->padded = image->size > end - image->start ||
                    (is_raw && end > layer->reader->size);
    /* The map of a raw disk is its file, from here on. */
    if (is_raw && !image->top->container)
        layer->reader->begin = image->start - image->start % SECTOR_SIZE;
    return 0;
}
