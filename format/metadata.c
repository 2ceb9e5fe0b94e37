/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "format/layer.h"

int metadata_read(struct reader *r, uint64_t offset, void *buf, size_t len,
                  struct error *error)
{
    struct read read = {
        .reader = r, .buf = buf, .len = len, .offset = offset
    };

    memset(buf, 0, len);
    if (offset >= r->size)
        return 0;
    if (read.len > r->size - offset)
        read.len = r->size - offset;
    r->ops->read_rest(&read);
    read_debug(&read, "metadata");
    if (read.error)
        return error_set(error, read.error,
                         "%s: read error at offset %" PRIu64 ": %s", r->name,
                         offset + read.done, read_reason(&read));
    return 0;
}
