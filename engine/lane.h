/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A lane is a checksum on its way along the ring: it takes what was found in
 * the slots, in the order of the disk. Each checksum has a lane of its own, so
 * different cores can carry on with different ones.
 */
#ifndef ENGINE_LANE_H
#define ENGINE_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "engine/slot.h"

struct engine_sum;

struct lane {
    /*
     * Take the next slot. It is called without a lock, by one worker at a time.
     * Returns 0 or a positive errno value, after which it is not called again.
     */
    int (*take)(struct lane *lane, const struct slot *slot,
                struct error *error);

    /* All slots were taken: get the checksum of so many bytes. */
    int (*end)(struct lane *lane, uint64_t length, struct engine_sum *sum,
               struct error *error);

    /* It takes the bytes of a slot, not only digests. So it is slow, and needs
     * the buffer until it has taken the slot. */
    bool takes_bytes;

    uint64_t next; /* the number of the next slot; under the ring's lock */
    bool busy;     /* a worker carries on with it; under the ring's lock */
};

#endif
