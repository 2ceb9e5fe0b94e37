/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/slot.h"

#include <errno.h>
#include <stdlib.h>

void slot_add_zero(struct slot *slot, uint64_t blocks)
{
    if (slot->run_count == 0 || slot->runs[slot->run_count - 1].data_blocks > 0)
        slot->runs[slot->run_count++] = (struct run){ .zero_blocks = 0 };
    slot->runs[slot->run_count - 1].zero_blocks += blocks;
}

void slot_add_data(struct slot *slot, size_t blocks)
{
    if (slot->run_count == 0)
        slot->runs[slot->run_count++] = (struct run){ .data_blocks = 0 };
    slot->runs[slot->run_count - 1].data_blocks += blocks;
}

/* Whether a read of the reader at offset goes on where the last one ends. */
static bool continues_last(const struct job *job, const struct reader *reader,
                           uint64_t offset)
{
    const struct read *last;

    if (job->read_count == 0)
        return false;
    last = &job->reads[job->read_count - 1];
    return last->reader == reader &&
           (!reader || last->offset + last->len == offset);
}

int job_add_read(struct job *job, struct reader *reader, uint64_t offset,
                 size_t len)
{
    if (continues_last(job, reader, offset)) {
        job->reads[job->read_count - 1].len += len;
        job->len += len;
        return 0;
    }
    if (job->read_count == job->read_room) {
        size_t room = job->read_room ? 2 * job->read_room : 16;
        struct read *reads = realloc(job->reads, room * sizeof(*reads));

        if (!reads)
            return ENOMEM;
        job->reads = reads;
        job->read_room = room;
    }
    job->reads[job->read_count++] = (struct read){
        .reader = reader,
        .buf = job->buf + job->len,
        .len = len,
        .offset = offset,
        .owner = job,
    };
    job->len += len;
    return 0;
}
