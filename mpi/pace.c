/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/pace.h"

#include <assert.h>
#include <string.h>

/* A slow rank gets slices down to this part of the shortest for others. */
#define SLOWEST (1 / 16.0)

void pace_given(struct pace *p, uint64_t bytes, double now)
{
    assert(p->count < PACE_CREDIT);
    if (p->count == 0)
        p->begun = now;
    p->given[p->count++] = bytes;
}

void pace_done(struct pace *p, double now)
{
    double seconds = now - p->begun;
    double speed = seconds > 0 ? p->given[0] / seconds : 0;

    assert(p->count > 0);
    /* Half of the old speed: one slice may be of zeros, or a bad moment. */
    if (speed > 0)
        p->speed = p->speed > 0 ? (p->speed + speed) / 2 : speed;
    p->begun = now;
    p->count--;
    memmove(p->given, p->given + 1, p->count * sizeof(p->given[0]));
}

uint64_t pace_slice(const struct pace *p, double fastest, uint64_t longest,
                    uint64_t shortest)
{
    double share = fastest > 0 ? p->speed / fastest : 0;
    uint64_t least = shortest * SLOWEST;
    uint64_t size = longest * share;

    if (p->speed <= 0)
        return shortest;
    return size > least ? size : least > 0 ? least : 1;
}
