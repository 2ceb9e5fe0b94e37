/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The jobs of a worker. Jobs are made when they are needed: bytes in the page
 * cache, and small images, need only one.
 */
#ifndef ENGINE_JOB_POOL_H
#define ENGINE_JOB_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/job.h"

struct job_pool {
    size_t slot_size;
    size_t blocks;       /* that a job has the addresses of */
    struct job *jobs;    /* room for all of them, */
    struct job *seconds; /* and for the second ones, of pairs */
    unsigned room, count;
    struct job *free; /* the one that was used last comes first */
    struct job *held; /* their slots are hashed, but not committed */
};

/* A pool of up to `room` jobs, or pairs, for slots of this size, in so many
 * blocks at most. Free it with job_pool_free(), also after an error (ENOMEM).
 */
int job_pool_init(struct job_pool *p, unsigned room, bool pairs,
                  size_t slot_size, size_t blocks);
void job_pool_free(struct job_pool *p);

/* Take the free job that was used last; if there is none, a new one. NULL: all
 * are in use, or there is no memory. */
struct job *job_pool_get(struct job_pool *p);

/* Give a job back. None of its reads is in flight. */
void job_pool_put(struct job_pool *p, struct job *job);

/* Give a job back when its slot is committed: until then, a lane needs its
 * bytes. */
void job_pool_hold(struct job_pool *p, struct job *job);

/* Free the jobs that were held for slots with smaller numbers. */
void job_pool_release(struct job_pool *p, uint64_t committed);

/* The number of the first slot that a job is held for. */
uint64_t job_pool_first_held(const struct job_pool *p);

#endif
