/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/cursor.h"

#include <inttypes.h>

#include "common/debug.h"

static void debug_extent(const struct extent *e)
{
    static const char *const kinds[] = {
        [EXTENT_ZERO] = "zeros",
        [EXTENT_DATA] = "data",
        [EXTENT_COMPRESSED] = "compressed",
    };

    if (e->kind == EXTENT_ZERO)
        debug_event(DEBUG_MAP, "guest %" PRIu64 "+%" PRIu64 ": zeros",
                    e->offset, e->length);
    else
        debug_event(DEBUG_MAP,
                    "guest %" PRIu64 "+%" PRIu64 ": %s in %s at %" PRIu64 "%s",
                    e->offset, e->length, kinds[e->kind], e->reader->name,
                    e->host_offset, e->hole ? ", reported as a hole" : "");
}

int cursor_extent(struct cursor *c, uint64_t end, struct extent *rest,
                  struct error *error)
{
    if (c->offset >= c->extent.offset + c->extent.length) {
        int err =
            image_map(c->image, c->offset, end - c->offset, &c->extent, error);

        if (err)
            return err;
        if (debug_is_on(DEBUG_MAP))
            debug_extent(&c->extent);
        c->asked++;
    }
    *rest = c->extent;
    extent_advance(rest, c->offset - rest->offset);
    return 0;
}
