/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/way.h"

#include <stdlib.h>
#include <string.h>

/* Slots by each way in a trial. The best of them counts: what disturbs a run
 * makes it longer. */
#define TRIES 4

/* The part of the time that may be lost in trials, and the slots from one to
 * the next that follow from it, in their limits. */
#define MAX_LOSS 0.01
#define LEAST_SLOTS 100
#define MOST_SLOTS 10000

static bool settled(const struct way_trial *t)
{
    return t->left > 0;
}

static enum way better(const struct way_trial *t)
{
    return t->cost[WAY_COPY] < t->cost[WAY_VIEW] ? WAY_COPY : WAY_VIEW;
}

void ways_init(struct ways *w)
{
    const char *forced = getenv("DISKSUM_READS");

    *w = (struct ways){ .forced = false };
    if (forced && strcmp(forced, "view") == 0)
        w->forced = true;
    if (forced && strcmp(forced, "copy") == 0) {
        w->forced = true;
        w->way = WAY_COPY;
    }
}

enum way ways_next(const struct ways *w)
{
    const struct way_trial *t = &w->trials[w->content];

    if (w->forced)
        return w->way;
    if (settled(t))
        return better(t);
    return t->tries[WAY_VIEW] < TRIES ? WAY_VIEW : WAY_COPY;
}

bool ways_measure(const struct ways *w)
{
    return !w->forced && !settled(&w->trials[w->content]);
}

/* How long the answer of a trial holds: the longer, the more it costs to ask.
 */
static void settle(struct way_trial *t)
{
    enum way best = better(t);
    double loss = t->cost[!best] / t->cost[best] - 1;
    double slots = TRIES * loss / MAX_LOSS;

    if (slots < LEAST_SLOTS)
        t->left = LEAST_SLOTS;
    else if (slots > MOST_SLOTS)
        t->left = MOST_SLOTS;
    else
        t->left = slots;
}

void ways_note(struct ways *w, enum content content, enum way way,
               uint64_t nanoseconds, size_t len)
{
    struct way_trial *t = &w->trials[content];
    double cost = (double)nanoseconds / len;

    w->content = content;
    if (settled(t)) {
        if (--t->left == 0)
            *t = (struct way_trial){ .left = 0 };
        return;
    }
    if (nanoseconds == 0 || t->tries[way] == TRIES)
        return;
    if (t->tries[way]++ == 0 || cost < t->cost[way])
        t->cost[way] = cost;
    if (t->tries[WAY_VIEW] == TRIES && t->tries[WAY_COPY] == TRIES)
        settle(t);
}
