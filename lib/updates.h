/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asynchronous updates of a stream, and their completions.
 *
 * Nothing is locked here: the queue calls all functions under its lock. The
 * number of updates, from begin until the completion is fetched, is limited and
 * their memory is allocated at the start.
 */
#ifndef LIB_UPDATES_H
#define LIB_UPDATES_H

#include <stdbool.h>

#include "blkhash.h"
#include "lib/names.h"

/* An update whose buffer pieces point to. It can also be one that is not
 * asynchronous. */
struct update {
    unsigned pieces; /* that point into the buffer, and are not hashed yet */
    bool asynchronous;
    void *user_data;
};

struct updates {
    unsigned max;
    struct update *all; /* max of them */
    struct update **free;
    unsigned free_count;
    struct blkhash_completion *completions; /* a ring of max */
    unsigned first, count;                  /* those that are not fetched */
    int fd; /* an eventfd; -1: none was asked for */
};

/* Returns 0 or ENOMEM; call updates_destroy() in both cases. */
int updates_init(struct updates *u, unsigned max);
void updates_destroy(struct updates *u);

/* Begin an update without pieces. NULL: the limit is reached. */
struct update *updates_begin(struct updates *u, void *user_data);

/* End an update: add its completion. */
void updates_complete(struct updates *u, struct update *update, int error);

/* The descriptor of blkhash_completion_fd(). 0 or a positive errno value. */
int updates_fd(struct updates *u, int *fd);

/* Fetch up to max completions; returns their number. */
unsigned updates_fetch(struct updates *u, struct blkhash_completion *out,
                       unsigned max);

#endif
