/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A slot is a place in the ring. It stands for a range of the guest's disk:
 * runs of zero blocks and of data, with room for the digests of the data. Slots
 * are committed in the order in which they were planned.
 */
#ifndef ENGINE_SLOT_H
#define ENGINE_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enough to fill the buffer with data that alternates with holes: a run has at
 * least a block, and a buffer of the default size has 16. */
#define SLOT_RUNS 64

/* Zero blocks, and blocks of data after them; either may be 0. */
struct run {
    uint64_t zero_blocks;
    size_t data_blocks; /* the last of the image may be short */
};

struct slot {
    uint64_t number; /* how many slots are before it */
    uint64_t length; /* of the guest's disk, in bytes */
    uint64_t hole;   /* the part of length in runs of zero blocks */
    struct run runs[SLOT_RUNS];
    unsigned run_count;
    unsigned char *mds; /* NULL before its first use */
    bool hashed;        /* under the ring's lock */
};

/* Make a slot empty, for a new place in the order. Its room for digests stays.
 */
void slot_begin(struct slot *slot, uint64_t number);

/* Whether one more run has no room. */
static inline bool slot_is_full(const struct slot *slot)
{
    return slot->run_count == SLOT_RUNS;
}

/* Add blocks. The slot is not full, or its last run can take them. */
void slot_add_data(struct slot *slot, size_t blocks);
void slot_add_zero(struct slot *slot, uint64_t blocks);

/* Blocks of data, for each of which there is a digest. */
size_t slot_data_blocks(const struct slot *slot);

#endif
