/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/extent.h"

#include <assert.h>

void extent_advance(struct extent *extent, uint64_t n)
{
    assert(n < extent->length);
    extent->offset += n;
    extent->length -= n;
    if (extent->kind == EXTENT_DATA)
        extent->host_offset += n;
    else if (extent->kind == EXTENT_COMPRESSED)
        extent->skip += n;
}
