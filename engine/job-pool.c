/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/job-pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* For direct I/O. */
#define BUFFER_ALIGNMENT 4096

/* The buffer of a job, or of a side of a pair. */
static bool make_buffer(const struct job_pool *p, struct job *job)
{
    void *buf;

    if (posix_memalign(&buf, BUFFER_ALIGNMENT, p->slot_size))
        return false;
    job->buf = buf;
    job->capacity = p->slot_size;
    return true;
}

/* A job to hash, or a pair. */
static bool make_job(const struct job_pool *p, struct job *job,
                     struct job *second)
{
    *job = (struct job){ .owner = job, .second = second };
    if (second) {
        *second = (struct job){ .owner = job };
        return make_buffer(p, job) && make_buffer(p, second);
    }
    job->blocks = calloc(p->blocks, sizeof(*job->blocks));
    return job->blocks && make_buffer(p, job);
}

static void free_sides(struct job *job)
{
    for (struct job *side = job; side; side = side->second)
        job_free(side);
}

struct job *job_pool_get(struct job_pool *p)
{
    struct job *job = p->free;

    if (job) {
        p->free = job->next;
        return job;
    }
    if (p->count == p->room)
        return NULL;
    job = &p->jobs[p->count];
    if (!make_job(p, job, p->seconds ? &p->seconds[p->count] : NULL)) {
        free_sides(job);
        return NULL;
    }
    p->count++;
    return job;
}

void job_pool_put(struct job_pool *p, struct job *job)
{
    error_clear(&job->fault);
    job->next = p->free;
    p->free = job;
}

void job_pool_hold(struct job_pool *p, struct job *job)
{
    job->next = p->held;
    p->held = job;
}

void job_pool_release(struct job_pool *p, uint64_t committed)
{
    struct job **place = &p->held;

    while (*place) {
        struct job *job = *place;

        if (job->number < committed) {
            *place = job->next;
            job_pool_put(p, job);
        } else {
            place = &job->next;
        }
    }
}

uint64_t job_pool_first_held(const struct job_pool *p)
{
    uint64_t first = UINT64_MAX;

    assert(p->held);
    for (const struct job *job = p->held; job; job = job->next) {
        if (job->number < first)
            first = job->number;
    }
    return first;
}

int job_pool_init(struct job_pool *p, unsigned room, bool pairs,
                  size_t slot_size, size_t blocks)
{
    *p = (struct job_pool){
        .slot_size = slot_size,
        .blocks = blocks,
        .room = room,
        .jobs = calloc(room, sizeof(*p->jobs)),
    };
    if (pairs)
        p->seconds = calloc(room, sizeof(*p->seconds));
    return p->jobs && (!pairs || p->seconds) ? 0 : ENOMEM;
}

void job_pool_free(struct job_pool *p)
{
    for (unsigned i = 0; i < p->count; i++)
        free_sides(&p->jobs[i]);
    free(p->jobs);
    free(p->seconds);
}
