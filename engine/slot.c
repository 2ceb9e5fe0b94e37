/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/slot.h"

#include <assert.h>

void slot_begin(struct slot *slot, uint64_t number)
{
    slot->number = number;
    slot->length = 0;
    slot->hole = 0;
    slot->run_count = 0;
    slot->hashed = false;
}

static struct run *new_run(struct slot *slot)
{
    struct run *run = &slot->runs[slot->run_count];

    assert(!slot_is_full(slot));
    slot->run_count++;
    *run = (struct run){ .zero_blocks = 0 };
    return run;
}

void slot_add_zero(struct slot *slot, uint64_t blocks)
{
    struct run *run = &slot->runs[slot->run_count ? slot->run_count - 1 : 0];

    if (slot->run_count == 0 || run->data_blocks > 0)
        run = new_run(slot);
    run->zero_blocks += blocks;
}

void slot_add_data(struct slot *slot, size_t blocks)
{
    if (slot->run_count == 0)
        new_run(slot);
    slot->runs[slot->run_count - 1].data_blocks += blocks;
}

size_t slot_data_blocks(const struct slot *slot)
{
    size_t blocks = 0;

    for (unsigned i = 0; i < slot->run_count; i++)
        blocks += slot->runs[i].data_blocks;
    return blocks;
}
