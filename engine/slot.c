/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/slot.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void slot_begin(struct slot *slot, uint64_t number)
{
    slot->number = number;
    slot->length = 0;
    slot->hole = 0;
    slot->known = 0;
    slot->known_blocks = 0;
    slot->run_count = 0;
    slot->hashed = false;
}

void slot_free(struct slot *slot)
{
    free(slot->mds);
    free(slot->known_mds);
}

static struct run *new_run(struct slot *slot)
{
    struct run *run = &slot->runs[slot->run_count];

    assert(!slot_is_full(slot));
    slot->run_count++;
    *run = (struct run){ .zero_blocks = 0 };
    return run;
}

static struct run *last_run(struct slot *slot)
{
    return slot->run_count ? &slot->runs[slot->run_count - 1] : new_run(slot);
}

void slot_add_zero(struct slot *slot, uint64_t blocks)
{
    struct run *run = last_run(slot);

    if (run->known_blocks > 0 || run->data_blocks > 0)
        run = new_run(slot);
    run->zero_blocks += blocks;
}

int slot_add_known(struct slot *slot, const unsigned char *mds, size_t blocks,
                   size_t md_size, size_t room)
{
    struct run *run = last_run(slot);

    assert(blocks <= room - slot->known_blocks);
    if (!slot->known_mds)
        slot->known_mds = malloc(room * md_size);
    if (!slot->known_mds)
        return ENOMEM;
    if (run->data_blocks > 0)
        run = new_run(slot);
    memcpy(slot->known_mds + slot->known_blocks * md_size, mds,
           blocks * md_size);
    slot->known_blocks += blocks;
    run->known_blocks += blocks;
    return 0;
}

void slot_add_data(struct slot *slot, size_t blocks)
{
    last_run(slot)->data_blocks += blocks;
}

size_t slot_data_blocks(const struct slot *slot)
{
    size_t blocks = 0;

    for (unsigned i = 0; i < slot->run_count; i++)
        blocks += slot->runs[i].data_blocks;
    return blocks;
}
