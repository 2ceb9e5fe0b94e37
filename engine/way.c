/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/way.h"

#include <stdlib.h>
#include <string.h>

/* To copy less takes no longer than to make a window for it. */
#define LEAST_VIEW 65536

/* Slots by each way in a trial. The best of them counts: what disturbs a run
 * makes it longer. */
#define TRIES 8

/* The part of the time that may be lost in trials, and the slots from one to
 * the next that follow from it, in their limits. */
#define MAX_LOSS 0.01
#define LEAST_SLOTS 100
#define MOST_SLOTS 50000

void ways_init(struct ways *w)
{
    const char *forced = getenv("DISKSUM_READS");

    *w = (struct ways){ .better = WAY_VIEW };
    pthread_mutex_init(&w->lock, NULL);
    if (!forced)
        return;
    w->forced = strcmp(forced, "view") == 0 || strcmp(forced, "copy") == 0;
    if (strcmp(forced, "copy") == 0)
        w->better = WAY_COPY;
}

void ways_free(struct ways *w)
{
    pthread_mutex_destroy(&w->lock);
}

static struct ways here;

static void init_here(void)
{
    ways_init(&here);
}

struct ways *ways_here(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_here);
    return &here;
}

/* Both ways in turn, but in no period (the Thue-Morse sequence): contents that
 * take turns in the same one would each meet only one of the ways. */
static enum way turn(unsigned slot)
{
    return __builtin_parity(slot) ? WAY_COPY : WAY_VIEW;
}

enum way ways_next(struct ways *w, size_t len, bool *measure)
{
    enum way way;

    *measure = false;
    if (!w->forced && len < LEAST_VIEW)
        return WAY_COPY;
    pthread_mutex_lock(&w->lock);
    *measure = !w->forced && w->left == 0;
    way = *measure ? turn(w->slots++) : w->better;
    pthread_mutex_unlock(&w->lock);
    return way;
}

static struct way_costs *costs_of(struct ways *w, size_t len, size_t zeros)
{
    size_t quarter = len / 4;

    if (zeros < quarter)
        return &w->costs[0];
    return &w->costs[zeros <= 3 * quarter ? 1 : 2];
}

/* How long the answer of a trial holds: the longer, the more it costs to ask.
 */
static void settle(struct ways *w, const struct way_costs *c)
{
    double slots;

    w->better = c->least[WAY_COPY] < c->least[WAY_VIEW] ? WAY_COPY : WAY_VIEW;
    slots = TRIES / MAX_LOSS * (c->least[!w->better] / c->least[w->better] - 1);
    if (slots < LEAST_SLOTS)
        slots = LEAST_SLOTS;
    if (slots > MOST_SLOTS)
        slots = MOST_SLOTS;
    w->left = slots;
    w->slots = 0;
    memset(w->costs, 0, sizeof(w->costs));
}

static void note_cost(struct ways *w, enum way way, double cost,
                      struct way_costs *c)
{
    if (c->tries[way]++ == 0 || cost < c->least[way])
        c->least[way] = cost;
    if (c->tries[WAY_VIEW] >= TRIES && c->tries[WAY_COPY] >= TRIES)
        settle(w, c);
}

void ways_note(struct ways *w, enum way way, uint64_t nanoseconds, size_t len,
               size_t zeros)
{
    if (len < LEAST_VIEW)
        return;
    pthread_mutex_lock(&w->lock);
    if (w->left > 0)
        w->left--;
    else if (nanoseconds)
        note_cost(w, way, (double)nanoseconds / len, costs_of(w, len, zeros));
    pthread_mutex_unlock(&w->lock);
}
