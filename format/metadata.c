/* SPDX-License-Identifier: LGPL-2.1-or-later */
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
    return read.error || read.done < read.len ? read_fault(&read, error) : 0;
}
