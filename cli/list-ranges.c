/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/list-ranges.h"

#include <stdlib.h>

static bool append(struct list_ranges *r, uint64_t blocks)
{
    if (r->count == r->size) {
        size_t size = r->size ? 2 * r->size : 64;
        uint64_t *more = realloc(r->blocks, size * sizeof(*more));

        if (!more)
            return false;
        r->blocks = more;
        r->size = size;
    }
    r->blocks[r->count++] = blocks;
    return true;
}

bool list_ranges_add(struct list_ranges *r, bool data, uint64_t blocks)
{
    if (r->count && (r->count - 1) % 2 == data) {
        r->blocks[r->count - 1] += blocks;
        return true;
    }
    /* Run number n is data if n is odd. */
    if (r->count % 2 != data && !append(r, 0))
        return false;
    return append(r, blocks);
}

void list_ranges_free(struct list_ranges *r)
{
    free(r->blocks);
}
