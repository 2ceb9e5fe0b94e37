/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Slots in a ring, in the order of the guest's disk:
 *
 *     committed <= planned <= committed + slots
 *
 * Workers plan slots in order, one at a time, and finish them in any order.
 * Digests enter the root from the head of the ring, by the worker that finishes
 * the head.
 *
 * An error stops planning and committing, and wakes who waits. The slots before
 * that of the error are all planned already. They are still read and decoded,
 * for one of them may have an error, too: of several, that of the first slot
 * counts, as if there were one thread.
 */
#ifndef ENGINE_RING_H
#define ENGINE_RING_H

#include <pthread.h>

#include "blkhash.h"
#include "engine/source.h"

struct ring {
    struct source *source;
    struct blkhash_root *root;
    size_t md_size;
    size_t slot_blocks;
    struct slot *slots;
    unsigned count;

    pthread_mutex_t plan_lock; /* for the source; taken before lock */

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t space; /* a slot was committed, or stopped */
    uint64_t planned, committed;
    bool committing; /* a worker feeds the root */
    bool ended;      /* the source has no more */
    bool stopped;    /* by the error */
    struct error error;
    uint64_t error_slot; /* its number */
    uint64_t done, hole; /* bytes of the guest's disk that are committed */
};

/* source and root must outlive the ring. slot_blocks: blocks of data in a slot.
 * Free with ring_free() also after an error. */
int ring_init(struct ring *ring, struct source *source,
              struct blkhash_root *root, size_t md_size, unsigned slots,
              size_t slot_blocks);
void ring_free(struct ring *ring);

enum ring_plan {
    RING_PLANNED, /* job has a slot */
    RING_BUSY,    /* no slot is free now */
    RING_END,     /* there is nothing more to do */
};

/*
 * Plan the next slot for a job. With wait the answer is not RING_BUSY; a
 * worker that has slots of its own to finish must not wait, for one of them may
 * be the head.
 */
enum ring_plan ring_plan(struct ring *ring, struct job *job, bool wait);

/* Whether it still matters what is in a slot: there is no error before it. */
bool ring_wants(struct ring *ring, const struct slot *slot);

/* The digests of a slot are there. */
void ring_commit(struct ring *ring, struct slot *slot);

/* Stop for an error of a slot (NULL: of the next that would be planned), which
 * is moved. */
void ring_fail(struct ring *ring, const struct slot *slot, struct error *error);

#endif
