/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Raw: the bytes of the host object, padded with zeros to a whole sector.
 */
#include <errno.h>

#include "common/units.h"
#include "format/format.h"

static int raw_map(struct layer *layer, uint64_t offset, uint64_t length,
                   struct extent *extent, struct error *error)
{
    (void)error;
    *extent = (struct extent){
        .offset = offset,
        .length = length,
        .kind = EXTENT_DATA,
        .reader = layer->reader,
        .host_offset = offset,
    };
    return 0;
}

static void raw_close(struct layer *layer)
{
    (void)layer;
}

static const struct layer_ops raw_ops = {
    .map = raw_map,
    .close = raw_close,
};

int raw_open(struct layer *layer, const struct layer_options *options,
             struct error *error)
{
    const struct reader *r = layer->reader;
    uint64_t padding = -r->size % SECTOR_SIZE;

    layer->ops = &raw_ops;
    if (options->snapshot)
        return error_set(error, ENOTSUP, "%s: a raw image has no snapshots",
                         r->name);
    /* A host object has at most 2^63 - 1 bytes, but the last sector may end
     * beyond that. */
    if (r->size > (uint64_t)INT64_MAX - padding)
        return error_set(error, EFBIG, "%s: the file is too large", r->name);
    layer->size = r->size + padding;
    return 0;
}
