/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/estimate.h"

/* How many bytes of a hole take as long as one byte that is read: 64 KiB of a
 * hole are 32 bytes to hash. */
#define HOLE_BYTES 2048.0

double estimate_cost(uint64_t read, uint64_t hole)
{
    return read + hole / HOLE_BYTES;
}

/* If allocated is not known, assume that the rest has as many holes as the part
 * that is done. */
static uint64_t bytes_to_read(const struct engine_progress *p,
                              uint64_t allocated)
{
    uint64_t read = p->done - p->unread;
    uint64_t rest = p->size - p->done;
    uint64_t left;

    if (allocated)
        left = allocated > read ? allocated - read : 0;
    else
        left = (double)rest * read / p->done;
    return left < rest ? left : rest;
}

double estimate_left(const struct engine_progress *p, uint64_t allocated,
                     double seconds)
{
    uint64_t to_read;

    if (p->done == 0 || p->done > p->size)
        return -1;
    to_read = bytes_to_read(p, allocated);
    return seconds * estimate_cost(to_read, p->size - p->done - to_read) /
           estimate_cost(p->done - p->unread, p->unread);
}
