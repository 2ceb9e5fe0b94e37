/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A slot is a place in the ring. It stands for a range of the guest's disk:
 * runs of zero blocks, of blocks whose digests are known, and of data, with
 * room for the digests. Slots are committed in the order in which they were
 * planned.
 */
#ifndef ENGINE_SLOT_H
#define ENGINE_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enough to fill the buffer with data that alternates with holes: a run has at
 * least a block, and a buffer of the default size has 16. */
#define SLOT_RUNS 64

/* Zero blocks, then blocks whose digests are known, then blocks of data; any of
 * them may be 0. The last block of the image may be short. */
struct run {
    uint64_t zero_blocks;
    size_t known_blocks;
    size_t data_blocks;
};

struct slot {
    uint64_t number; /* how many slots are before it */
    uint64_t offset; /* where it begins on the guest's disk */
    uint64_t length; /* of the guest's disk, in bytes */
    uint64_t hole;   /* the part of length that the image says is zeros */
    uint64_t known;  /* the part whose digests are known, zeros or not */
    struct run runs[SLOT_RUNS];
    unsigned run_count;
    unsigned char *mds;        /* of data, those of a block hash after those of
                                * another; NULL before its first use */
    unsigned char *known_mds;  /* likewise */
    size_t known_blocks;       /* digests in known_mds */
    const unsigned char *data; /* packed, in the buffer of a job; only lanes
                                * that take bytes look there */
    bool hashed;               /* under the ring's lock */
};

/* Make a slot empty, for a new place in the order. Its room for digests stays.
 */
void slot_begin(struct slot *slot, uint64_t number);
void slot_free(struct slot *slot);

/* Whether one more run has no room. */
static inline bool slot_is_full(const struct slot *slot)
{
    return slot->run_count == SLOT_RUNS;
}

/* Add blocks. The slot is not full, or its last run can take them. */
void slot_add_data(struct slot *slot, size_t blocks);
void slot_add_zero(struct slot *slot, uint64_t blocks);

/* The same for known digests, which are copied. room: how many of them a slot
 * can have. ENOMEM is the only error. */
int slot_add_known(struct slot *slot, const unsigned char *mds, size_t blocks,
                   size_t md_size, size_t room);

/* Blocks of data. */
size_t slot_data_blocks(const struct slot *slot);

/* The same in bytes: the last block may be short. */
static inline size_t slot_data_length(const struct slot *slot)
{
    return slot->length - slot->hole - slot->known;
}

#endif
