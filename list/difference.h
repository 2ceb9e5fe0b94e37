/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where two disks, A and B, differ: ranges in ascending order, each as long as
 * it can be.
 */
#ifndef LIST_DIFFERENCE_H
#define LIST_DIFFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

enum difference_kind {
    DIFFERENCE_NONE,
    DIFFERENCE_BYTES,
    DIFFERENCE_ZERO_IN_A, /* all of it is zeros there, and nowhere in B */
    DIFFERENCE_ZERO_IN_B,
    DIFFERENCE_ONLY_IN_A, /* B ends before it */
    DIFFERENCE_ONLY_IN_B,
};
#define DIFFERENCE_KINDS 6

struct difference {
    uint64_t offset; /* on the disk, in bytes */
    uint64_t length;
    enum difference_kind kind;
};

/* The comparison of two disks, from their beginning on. */
struct differences {
    /* Take a range. */
    int (*take)(void *arg, const struct difference *d, struct error *error);
    void *arg;
    bool stop; /* at the first difference: differences_add() returns
                * ECANCELED */

    uint64_t offset;        /* what is before it was compared */
    uint64_t bytes;         /* that differ, so far */
    struct difference last; /* not yet taken; it may become longer */
};

/* Set what is above the empty line; the rest is zeros at first. */

/* The next length bytes differ, or do not. length may be 0. */
int differences_add(struct differences *d, uint64_t length,
                    enum difference_kind kind, struct error *error);

/* Nothing follows. Not needed after an error. */
int differences_end(struct differences *d, struct error *error);

/* For people and programs: "differs", "zero in A", ... */
const char *difference_name(enum difference_kind kind);

#endif
