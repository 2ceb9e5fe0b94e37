/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/series.h"

#include "common/units.h"

/* To open an image takes as long as to hash about so much. */
#define SIZE_OF_OPENING (128 * KiB)

uint64_t series_size(uint64_t to_read)
{
    return to_read + SIZE_OF_OPENING;
}

void series_next(struct series *s, uint64_t size)
{
    s->finished += s->current;
    s->current = size;
    s->index++;
}

void series_found(struct series *s, uint64_t allocated)
{
    if (allocated / 2 > s->current)
        s->has_sizes = false;
}

bool series_has_several(const struct series *s)
{
    return s->index > 0 && s->count != 1;
}

double series_left(const struct series *s, double part, double seconds)
{
    double done, all;

    if (s->has_sizes) {
        done = s->finished + part * s->current;
        all = s->all;
    } else {
        /* One image tells nothing of the others before it is finished. */
        done = s->index > 1 ? s->index - 1 + part : 0;
        all = s->count;
    }
    /* A list can change after it was counted, and so can files. */
    if (s->index > s->count || done <= 0 || done > all)
        return -1;
    return seconds * (all - done) / done;
}
