/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scripted_layer.h"

#include <errno.h>

static int scripted_map(struct layer *layer, uint64_t offset, uint64_t length,
                        struct extent *extent, struct error *error)
{
    struct scripted *s = (struct scripted *)layer;
    uint64_t unit = offset / UNIT;
    uint64_t end = unit + 1;
    char what = s->units[unit];

    s->calls++;
    if (what == '!') {
        extent->offset = offset;
        extent->length = length;
        return error_set(error, EIO, "broken");
    }
    while (s->units[end] == what && what != 'c')
        end++;
    *extent = (struct extent){
        .offset = offset,
        .length = end * UNIT - offset,
        .kind = what == 'd'   ? EXTENT_DATA
                : what == 'z' ? EXTENT_ZERO
                : what == 'c' ? EXTENT_COMPRESSED
                              : EXTENT_UNALLOCATED,
        .reader = &s->m.reader,
        .host_offset = what == 'c' ? unit * UNIT : offset,
        .host_length = UNIT,
        .cluster_size = UNIT,
        .skip = what == 'c' ? offset % UNIT : 0,
        .codec = CODEC_DEFLATE,
    };
    if (extent->length > length)
        extent->length = length;
    return 0;
}

static const struct layer_ops scripted_ops = { .map = scripted_map };

static unsigned char bytes[SIZE];

void script(struct scripted *s, const char *units, struct scripted *on)
{
    *s = (struct scripted){ .units = units };
    memory_reader_init(&s->m, bytes, SIZE);
    s->link.layer.ops = &scripted_ops;
    s->link.layer.reader = &s->m.reader;
    s->link.layer.size = strlen(units) * UNIT;
    s->link.backing = on ? &on->link : NULL;
}
