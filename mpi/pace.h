/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast a rank is. Slices are committed in order, and the digests of only so
 * many are held; so one rank that is slow would let all others wait for its
 * slices, if these were as long as theirs. A rank gets slices that it hashes in
 * about the time that the fastest one needs for the longest.
 */
#ifndef MPI_PACE_H
#define MPI_PACE_H

#include <stdint.h>

/* What a rank may have to do at a time: one thing that it does, and one for the
 * time until the next message arrives. */
#define PACE_CREDIT 2

/* Of a rank. All zeros at first. */
struct pace {
    double speed;                /* bytes a second; 0: not known yet */
    double begun;                /* when it could begin what it does */
    uint64_t given[PACE_CREDIT]; /* bytes, in this order */
    unsigned count;
};

/* The rank got something to do: a slice of so many bytes, or something else, of
 * which it is not known (0). At most PACE_CREDIT at a time. Times are in
 * seconds. */
void pace_given(struct pace *p, uint64_t bytes, double now);

/* It has done the first thing that it was given. */
void pace_done(struct pace *p, double now);

/* The bytes of the next slice, of at most `longest`. fastest: the highest speed
 * of a rank. A rank of which nothing is known gets a short one. */
uint64_t pace_slice(const struct pace *p, double fastest, uint64_t longest,
                    uint64_t shortest);

#endif
