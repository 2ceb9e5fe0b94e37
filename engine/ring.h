/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Slots in a ring, in the order of the guest's disk:
 *
 *     committed <= planned <= committed + slots
 *
 * Workers plan slots in order, one at a time, and finish them in any order. The
 * lanes take them in order: the worker that finishes the slot which a lane
 * needs next carries on with this lane, through the finished slots after it.
 * Lanes are independent of each other. A slot that all of them have taken is
 * committed.
 *
 * No lane is left alone while it has a slot to take: who finishes a slot looks
 * at every lane, and so does who waits, before it waits. A lane that takes
 * bytes keeps a core busy for long, so an idle worker, if there is one, gets
 * it.
 *
 * An error stops planning and committing, and wakes all that wait. The slots
 * before that of the error are planned already. They are still read and
 * decoded, for one of them may fail, too: of several errors, that of the first
 * slot counts, as if there were one thread.
 */
#ifndef ENGINE_RING_H
#define ENGINE_RING_H

#include <pthread.h>

#include "engine/hashes.h"
#include "engine/source.h"

struct ring {
    struct source *source;
    struct hashes *hashes;
    size_t slot_blocks;
    struct slot *slots;
    unsigned count;

    pthread_mutex_t plan_lock; /* for the source; taken before `lock` */

    pthread_mutex_t lock;        /* for all below */
    struct ring_waiter *waiters; /* workers that have nothing to do */
    uint64_t planned, committed;
    bool ended;   /* the source has no more slots */
    bool stopped; /* by an error: */
    struct error error;
    uint64_t error_slot; /* the number of its slot */
    uint64_t done;       /* bytes of the guest's disk that are committed */
    uint64_t unread;     /* the part of done that cost little: holes, unless a
                          * lane takes bytes, and what was known */
};

/* The source and the hashes must outlive the ring. slots: how many there are;
 * slot_blocks: blocks of data in each. Free with ring_free(), also after an
 * error. */
int ring_init(struct ring *ring, struct source *source, struct hashes *hashes,
              unsigned slots, size_t slot_blocks);
void ring_free(struct ring *ring);

enum ring_plan {
    RING_PLANNED, /* the job has a slot */
    RING_BUSY,    /* no slot is free now */
    RING_END,     /* nothing is left to plan */
};

/*
 * Plan the next slot for a job. With wait, wait for a free slot instead of
 * returning RING_BUSY. A worker with slots in flight must not wait: one of them
 * may be the head, for which all others wait.
 */
enum ring_plan ring_plan(struct ring *ring, struct job *job, bool wait);

/* Slots with smaller numbers are committed. */
uint64_t ring_committed(struct ring *ring);

/* Wait until the slot with this number is committed, for a worker without slots
 * in flight. Returns false if an error stopped the ring. */
bool ring_wait(struct ring *ring, uint64_t number);

/* Wait until all slots are committed that are planned, or an error stops the
 * ring: lanes may need the worker. */
void ring_drain(struct ring *ring);

/* Whether a slot must still be read: no slot before it has failed. */
bool ring_wants(struct ring *ring, const struct slot *slot);

/* The digests of a slot are complete: the lanes can take it when its turn
 * comes.
 */
void ring_commit(struct ring *ring, struct slot *slot);

/* Stop because of an error of a slot; NULL: of the next that would be planned.
 * The error is moved into the ring. */
void ring_fail(struct ring *ring, const struct slot *slot, struct error *error);

#endif
