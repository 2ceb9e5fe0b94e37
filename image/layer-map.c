/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/layer-map.h"

#include <assert.h>

int layer_map(struct chain_layer *l, uint64_t offset, uint64_t length,
              struct extent *extent, struct error *error)
{
    const struct extent *last = &l->last;
    struct layer *layer = &l->layer;

    if (offset < last->offset || offset - last->offset >= last->length) {
        struct extent found;
        int err =
            layer->ops->map(layer, offset, layer->size - offset, &found, error);

        if (err)
            return err;
        assert(found.offset == offset);
        assert(found.length > 0 && found.length <= layer->size - offset);
        l->last = found;
    }
    *extent = *last;
    extent_advance(extent, offset - last->offset);
    if (extent->length > length)
        extent->length = length;
    return 0;
}
