/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/reader.h"

#include <errno.h>
#include <inttypes.h>

void read_debug_event(const struct read *read, const char *how)
{
    uint64_t end = read->offset + read->done;

    if (read->error)
        debug_event(DEBUG_READ,
                    "%s: %" PRIu64 "+%zu: %s: failed at %" PRIu64 ": %s",
                    read->reader->name, read->offset, read->len, how, end,
                    read_reason(read));
    else if (read->done < read->len)
        debug_event(DEBUG_READ, "%s: %" PRIu64 "+%zu: %s: ended at %" PRIu64,
                    read->reader->name, read->offset, read->len, how, end);
    else
        debug_event(DEBUG_READ, "%s: %" PRIu64 "+%zu: %s", read->reader->name,
                    read->offset, read->len, how);
}

int read_fault(const struct read *read, struct error *error)
{
    uint64_t offset = read->offset + read->done;

    if (read->error)
        return error_set(error, read->error,
                         "%s: read error at offset %" PRIu64 ": %s",
                         read->reader->name, offset, read_reason(read));
    return error_set(error, EIO,
                     "%s: ends at offset %" PRIu64
                     ", before its size of %" PRIu64 ": %s",
                     read->reader->name, offset, read->reader->size,
                     read->reader->ops->early_end);
}
