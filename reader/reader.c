/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/reader.h"

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
