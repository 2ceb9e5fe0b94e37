/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The cheaper way to bytes in the page cache: hash them in place, through a
 * window on the file, or copy them into the buffer first.
 *
 * In place saves the copy, and costs page faults and the translation of one
 * address for each page. On a machine of its own that is a gain of a third. In
 * a virtual machine whose memory is given in small pages data can take twice as
 * long as by copy, and zeros seven times. No flag of the CPU tells, so both are
 * tried on the first slots; the better one is kept, and the trial repeated from
 * time to time, for files differ, too: by the size of the pieces in which the
 * cache has them.
 *
 * Blocks of zeros are recognised much faster than data is hashed. So that like
 * is compared with like, slots are told apart by what is in them.
 *
 * Small slots are copied: a window costs more than to copy so little.
 *
 * Any number of threads may use one of these.
 */
#ifndef ENGINE_WAY_H
#define ENGINE_WAY_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum way { WAY_VIEW, WAY_COPY };
#define WAYS 2

/* Mostly data, mostly zeros, or of each a part. */
#define CONTENTS 3

struct way_costs {
    double least[WAYS]; /* nanoseconds a byte */
    unsigned tries[WAYS];
};

struct ways {
    pthread_mutex_t lock; /* for all below */
    struct way_costs costs[CONTENTS];
    unsigned slots; /* of this trial, to take turns */
    unsigned left;  /* slots until the next trial; 0: it goes on */
    enum way better;
    bool forced; /* better is, by DISKSUM_READS=view or copy, for tests */
};

/* Free with ways_free(). */
void ways_init(struct ways *w);
void ways_free(struct ways *w);

/* The ways of this process: they say something about the machine, and hold for
 * all images. */
struct ways *ways_here(void);

/* The way for the next slot, which has len bytes of data. *measure: whether its
 * time is wanted. */
enum way ways_next(struct ways *w, size_t len, bool *measure);

/* A slot of len bytes, of which so many were blocks of zeros, took so many
 * nanoseconds of the CPU by this way. 0: not measured. */
void ways_note(struct ways *w, enum way way, uint64_t nanoseconds, size_t len,
               size_t zeros);

#endif
