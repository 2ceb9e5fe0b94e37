/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cheaper way to bytes in the page cache: hash them in place, through a
 * window on the file, or copy them into the buffer first.
 *
 * In place saves the copy, and costs page faults and the translation of one
 * address for each page. On a machine of its own that is a gain of a third. In
 * a virtual machine whose memory is given in small pages it can take five times
 * as long as the copy. No flag of the CPU tells, so each worker tries both on
 * the first slots, stays with the better one, and looks again from time to
 * time, for files differ, too: by the size of the pieces in which the cache has
 * them.
 *
 * Blocks of zeros are recognised much faster than data is hashed. So that like
 * is compared with like, there is a trial for each of the two, and slots that
 * have both do not count.
 */
#ifndef ENGINE_WAY_H
#define ENGINE_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum way { WAY_VIEW, WAY_COPY };
#define WAYS 2

enum content { CONTENT_DATA, CONTENT_ZERO };
#define CONTENTS 2

struct way_trial {
    double cost[WAYS]; /* nanoseconds a byte, the least that was seen */
    unsigned tries[WAYS];
    unsigned left; /* slots until the next trial; 0: it goes on */
};

/* Of one worker. */
struct ways {
    struct way_trial trials[CONTENTS];
    enum content content; /* of the last slot, and probably the next */
    bool forced;          /* by DISKSUM_READS=view or copy, for tests: */
    enum way way;
};

void ways_init(struct ways *w);

/* The way for the next slot. */
enum way ways_next(const struct ways *w);

/* Whether its time is wanted. */
bool ways_measure(const struct ways *w);

/* A slot of this content was hashed. nanoseconds: of the CPU, for len bytes, by
 * this way; 0: not measured. */
void ways_note(struct ways *w, enum content content, enum way way,
               uint64_t nanoseconds, size_t len);

#endif
