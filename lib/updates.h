/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asynchronous updates of a stream, and their completions.
 *
 * There is no locking here: the queue calls all of this under its lock. There
 * is room for a fixed number of updates, from begin until their completions are
 * fetched, so only updates_init() and updates_fd() can fail.
 */
#ifndef LIB_UPDATES_H
#define LIB_UPDATES_H

#include <stdbool.h>

#include "blkhash.h"
#include "lib/names.h"

/* The user of a caller's buffer; also of an update that is not asynchronous. */
struct update {
    unsigned pieces; /* that point into the buffer and are not hashed */
    bool asynchronous;
    void *user_data;
};

struct updates {
    unsigned max;
    struct update *all; /* max of them */
    struct update **free;
    unsigned free_count;
    struct blkhash_completion *completions; /* a ring of max */
    unsigned first, count;                  /* those to be fetched */
    int fd;                                 /* an eventfd; -1: not asked for */
};

/* 0 or ENOMEM; to be destroyed in either case. */
int updates_init(struct updates *u, unsigned max);
void updates_destroy(struct updates *u);

/* An update without pieces. NULL: max are not yet fetched. */
struct update *updates_begin(struct updates *u, void *user_data);

/* Turn an update into its completion. */
void updates_complete(struct updates *u, struct update *update, int error);

/* As blkhash_completion_fd(). 0 or a positive errno value. */
int updates_fd(struct updates *u, int *fd);

/* Fetch up to max completions; returns their number. */
unsigned updates_fetch(struct updates *u, struct blkhash_completion *out,
                       unsigned max);

#endif
