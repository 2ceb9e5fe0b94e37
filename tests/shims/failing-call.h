/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What failing-server.c asks of functions that fail. */
#ifndef TESTS_SHIMS_FAILING_CALL_H
#define TESTS_SHIMS_FAILING_CALL_H

#include <stdatomic.h>
#include <stdbool.h>

struct order {
    const char *kind; /* of the calls */
    long number;      /* of the call that fails; 0: none */
    bool rest;        /* and the rest */
    bool children;    /* count those of children, until they execute another
                       * program */
    bool only_own;    /* count those of the program's own code alone */
};

/* The calls of all processes of a run. */
struct call_counts {
    atomic_long calls;
    atomic_long failed;
};

/* In the program, before any calls_begin(). The counts are in a mapped file, if
 * one is given: the program may be killed at any time. */
struct call_counts *calls_init(bool is_traced, const char *file);

/* In a child of it, which runs as an order says, or in itself. */
void calls_begin(const struct order *order);

#endif
