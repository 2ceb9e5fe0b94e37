/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/ring.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/debug.h"

/* The caller holds the lock. */
static void check(const struct ring *ring)
{
    assert(ring->committed <= ring->planned);
    assert(ring->planned - ring->committed <= ring->count);
}

/* The place in the ring of the slot with a number. */
static struct slot *slot_at(const struct ring *ring, uint64_t number)
{
    return &ring->slots[number % ring->count];
}

/* Whether a slot is in its place and not yet committed. The caller holds the
 * lock. */
static bool is_planned(const struct ring *ring, const struct slot *slot)
{
    return slot == slot_at(ring, slot->number) &&
           slot->number >= ring->committed && slot->number < ring->planned;
}

/* --- workers that wait ---------------------------------------------------- */

/* A worker that has nothing to do. It lives on the worker's stack. */
struct ring_waiter {
    struct ring_waiter *next;
    pthread_cond_t woken;
    bool is_woken;
    uint64_t number;   /* it waits until this slot is committed */
    struct lane *lane; /* that it is to carry on with; NULL: none */
};

/* The caller holds the lock. */
static void wake(struct ring_waiter **place)
{
    struct ring_waiter *w = *place;

    *place = w->next;
    w->is_woken = true;
    pthread_cond_signal(&w->woken);
}

/* Wake those that wait for slots with smaller numbers. The caller holds the
 * lock. */
static void wake_before(struct ring *ring, uint64_t number)
{
    struct ring_waiter **place = &ring->waiters;

    while (*place) {
        if ((*place)->number < number)
            wake(place);
        else
            place = &(*place)->next;
    }
}

static void wake_all(struct ring *ring)
{
    while (ring->waiters)
        wake(&ring->waiters);
}

/* --- lanes ---------------------------------------------------------------- */

/* The caller holds the lock. */
static void fail(struct ring *ring, uint64_t number, struct error *error)
{
    debug(DEBUG_RING, "slot %" PRIu64 ": failed: %s", number,
          error_message(error));
    if (!ring->stopped || number < ring->error_slot) {
        error_clear(&ring->error);
        error_move(&ring->error, error);
        ring->error_slot = number;
    }
    ring->stopped = true;
    wake_all(ring);
}

/* Commit the slots that all lanes have taken. The caller holds the lock. */
static void commit_taken(struct ring *ring)
{
    uint64_t taken = ring->planned;

    for (unsigned i = 0; i < ring->hashes->count; i++) {
        if (ring->hashes->lanes[i]->next < taken)
            taken = ring->hashes->lanes[i]->next;
    }
    while (ring->committed < taken) {
        const struct slot *head = slot_at(ring, ring->committed);

        debug(DEBUG_RING, "slot %" PRIu64 ": committed", head->number);
        ring->done += head->length;
        if (!ring->hashes->takes_bytes)
            ring->unread += head->hole + head->known;
        ring->committed++;
        check(ring);
    }
    wake_before(ring, ring->committed);
}

/* Whether a lane waits for a worker. The caller holds the lock. */
static bool needs_worker(const struct ring *ring, const struct lane *lane)
{
    return !ring->stopped && !lane->busy && lane->next < ring->planned &&
           slot_at(ring, lane->next)->hashed;
}

/* Carry on with a lane as far as slots are hashed. The caller holds the lock,
 * which is released meanwhile. */
static void carry_on(struct ring *ring, struct lane *lane)
{
    while (needs_worker(ring, lane)) {
        const struct slot *slot = slot_at(ring, lane->next);
        struct error error = ERROR_INIT;
        int err;

        assert(slot->number == lane->next);
        lane->busy = true;
        pthread_mutex_unlock(&ring->lock);
        err = lane->take(lane, slot, &error);
        pthread_mutex_lock(&ring->lock);
        lane->busy = false;
        if (err) {
            fail(ring, lane->next, &error);
            error_clear(&error);
            break;
        }
        lane->next++;
        commit_taken(ring);
    }
}

/* Carry on with all lanes that wait for a worker. Returns whether any did. The
 * caller holds the lock, which is released meanwhile. */
static bool carry_on_all(struct ring *ring)
{
    bool any = false;

    for (unsigned i = 0; i < ring->hashes->count; i++) {
        struct lane *lane = ring->hashes->lanes[i];

        if (needs_worker(ring, lane)) {
            carry_on(ring, lane);
            any = true;
        }
    }
    return any;
}

/* Give the lanes that wait for a worker, and would keep it for long, to workers
 * that have nothing to do. The caller holds the lock. */
static void give_lanes(struct ring *ring)
{
    for (unsigned i = 0; i < ring->hashes->count && ring->waiters; i++) {
        struct lane *lane = ring->hashes->lanes[i];

        if (lane->takes_bytes && needs_worker(ring, lane)) {
            lane->busy = true;
            ring->waiters->lane = lane;
            wake(&ring->waiters);
        }
    }
}

/* Wait until the slot with this number is committed, or there was something
 * else to do. The caller holds the lock, which is released meanwhile. */
static void wait_for(struct ring *ring, uint64_t number)
{
    struct ring_waiter w = { .number = number };

    if (carry_on_all(ring))
        return;
    pthread_cond_init(&w.woken, NULL);
    w.next = ring->waiters;
    /* cppcheck-suppress autoVariables ; who wakes it takes it out */
    ring->waiters = &w;
    while (!w.is_woken)
        pthread_cond_wait(&w.woken, &ring->lock);
    pthread_cond_destroy(&w.woken);
    if (w.lane) {
        w.lane->busy = false;
        carry_on(ring, w.lane);
    }
}

/* --- plan ----------------------------------------------------------------- */

/* Wait until a slot is free. The caller holds the lock. */
static enum ring_plan wait_for_space(struct ring *ring, bool wait)
{
    for (;;) {
        if (ring->stopped || ring->ended)
            return RING_END;
        if (ring->planned - ring->committed < ring->count)
            return RING_PLANNED;
        if (!wait)
            return RING_BUSY;
        wait_for(ring, ring->planned - ring->count);
    }
}

static void end(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    ring->ended = true;
    wake_all(ring);
    pthread_mutex_unlock(&ring->lock);
}

/* Those of the digest "null" have no bytes, but a place. */
static bool make_mds(const struct hashes *hashes, struct slot *slot)
{
    if (!slot->mds && hashes->block_count)
        slot->mds = malloc(hashes->mds_size ? hashes->mds_size : 1);
    return slot->mds || !hashes->block_count;
}

/* Plan the next slot. The caller holds the plan lock. */
static enum ring_plan plan_next(struct ring *ring, struct job *job)
{
    struct slot *slot = slot_at(ring, ring->planned);
    struct error error = ERROR_INIT;

    if (!make_mds(ring->hashes, slot)) {
        error_no_memory(&error, ring->source->name);
        ring_fail(ring, NULL, &error);
        return RING_END;
    }
    slot_begin(slot, ring->planned);
    job_begin(job, slot);
    if (ring->source->next(ring->source, slot, job, &job->fault)) {
        /* The job keeps the error: the reads before it may fail, too. */
        end(ring);
    } else if (slot->length == 0) {
        debug(DEBUG_RING, "end after slots: %" PRIu64, ring->planned);
        end(ring);
        return RING_END;
    }
    debug(DEBUG_RING,
          "slot %" PRIu64 ": planned: %" PRIu64 " bytes, %" PRIu64
          " of them zeros; reads: %zu",
          slot->number, slot->length, slot->hole, job->read_count);
    assert(slot_data_blocks(slot) <= ring->slot_blocks);
    pthread_mutex_lock(&ring->lock);
    ring->planned++;
    check(ring);
    pthread_mutex_unlock(&ring->lock);
    return RING_PLANNED;
}

enum ring_plan ring_plan(struct ring *ring, struct job *job, bool wait)
{
    enum ring_plan answer;

    do {
        /* Wait without the plan lock, which those that make space may need. */
        pthread_mutex_lock(&ring->lock);
        answer = wait_for_space(ring, wait);
        pthread_mutex_unlock(&ring->lock);
        if (answer != RING_PLANNED)
            break;

        pthread_mutex_lock(&ring->plan_lock);
        pthread_mutex_lock(&ring->lock);
        answer = wait_for_space(ring, false);
        pthread_mutex_unlock(&ring->lock);
        if (answer == RING_PLANNED)
            answer = plan_next(ring, job);
        pthread_mutex_unlock(&ring->plan_lock);
    } while (answer == RING_BUSY && wait);
    return answer;
}

/* --- finished slots ------------------------------------------------------- */

void ring_commit(struct ring *ring, struct slot *slot)
{
    pthread_mutex_lock(&ring->lock);
    assert(is_planned(ring, slot) && !slot->hashed);
    slot->hashed = true;
    give_lanes(ring);
    carry_on_all(ring);
    pthread_mutex_unlock(&ring->lock);
}

uint64_t ring_committed(struct ring *ring)
{
    uint64_t committed;

    pthread_mutex_lock(&ring->lock);
    committed = ring->committed;
    pthread_mutex_unlock(&ring->lock);
    return committed;
}

bool ring_wait(struct ring *ring, uint64_t number)
{
    bool stopped;

    pthread_mutex_lock(&ring->lock);
    while (!ring->stopped && ring->committed <= number)
        wait_for(ring, number);
    stopped = ring->stopped;
    pthread_mutex_unlock(&ring->lock);
    return !stopped;
}

void ring_drain(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    while (!ring->stopped && ring->committed < ring->planned)
        wait_for(ring, ring->planned - 1);
    pthread_mutex_unlock(&ring->lock);
}

bool ring_wants(struct ring *ring, const struct slot *slot)
{
    bool wanted;

    pthread_mutex_lock(&ring->lock);
    wanted = !ring->stopped || slot->number < ring->error_slot;
    pthread_mutex_unlock(&ring->lock);
    return wanted;
}

void ring_fail(struct ring *ring, const struct slot *slot, struct error *error)
{
    pthread_mutex_lock(&ring->lock);
    fail(ring, slot ? slot->number : ring->planned, error);
    pthread_mutex_unlock(&ring->lock);
    error_clear(error);
}

int ring_init(struct ring *ring, struct source *source, struct hashes *hashes,
              unsigned slots, size_t slot_blocks)
{
    memset(ring, 0, sizeof(*ring));
    pthread_mutex_init(&ring->plan_lock, NULL);
    pthread_mutex_init(&ring->lock, NULL);
    ring->source = source;
    ring->hashes = hashes;
    ring->count = slots;
    ring->slot_blocks = slot_blocks;
    ring->slots = calloc(slots, sizeof(*ring->slots));
    return ring->slots ? 0 : ENOMEM;
}

void ring_free(struct ring *ring)
{
    for (unsigned i = 0; ring->slots && i < ring->count; i++)
        slot_free(&ring->slots[i]);
    free(ring->slots);
    error_clear(&ring->error);
    pthread_mutex_destroy(&ring->lock);
    pthread_mutex_destroy(&ring->plan_lock);
}
