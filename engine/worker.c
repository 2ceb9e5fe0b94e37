/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simple version: plan a slot, read it, hash it, commit it, repeat. This
 * one also keeps up to `depth` slots in flight: where a slot has to wait for
 * its bytes, the worker goes on with the next. Bytes in the page cache never
 * wait: they are hashed in place, or copied and hashed at once, while they are
 * in the cache of this core.
 */
#include "engine/worker.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/array.h"
#include "common/memory.h"
#include "engine/fault.h"

/* For direct I/O. */
#define BUFFER_ALIGNMENT 4096

/* The window of a side of a pair, or of a job that is none. */
static struct window *window_of(struct worker *w, const struct job *side)
{
    return &w->windows[side != side->owner];
}

static bool windows_failed(struct worker *w)
{
    bool first = window_failed(&w->windows[0]);
    bool second = window_failed(&w->windows[1]);

    return first || second;
}

static bool read_side_again(struct job *job)
{
    bool any = false;

    for (size_t i = job->round; i < job->round_end; i++) {
        struct read *read = &job->reads[i];

        if (read->view) {
            read->view = NULL;
            read->done = 0;
            read->reader->ops->read_rest(read);
            read_debug(read, "again, without mmap");
            any = true;
        }
    }
    return any;
}

/* Read again what was mapped. Returns whether anything was. */
static bool read_mapped_again(struct job *job)
{
    bool any = false;

    for (struct job *side = job; side; side = side->second)
        any = read_side_again(side) || any;
    return any;
}

/* Decode the clusters whose compressed bytes are in read number n. */
static int decode_clusters(struct worker *w, struct job *job, size_t n,
                           struct error *error)
{
    for (; job->clusters_done < job->cluster_count; job->clusters_done++) {
        const struct job_cluster *cluster = &job->clusters[job->clusters_done];
        int err;

        if (cluster->read != n)
            break;
        if (!job_has_input(job, cluster))
            return read_fault(&job->reads[n], error);
        err = cluster_decode(&w->decoder, job, cluster, error);
        if (err)
            return err;
    }
    return 0;
}

/* Check the reads of a round and decode its clusters, in guest order, so that
 * the first fault in that order is found. */
static int complete_side(struct worker *w, struct job *job, struct error *error)
{
    for (size_t i = job->round; i < job->round_end; i++) {
        struct read *read = &job->reads[i];
        int err = 0;

        assert(read->done <= read->len);
        if (read->done < read->len)
            find_fault(read);
        if (read->kind == READ_INPUT)
            err = decode_clusters(w, job, i, error);
        if (!err && read->done < read->len)
            err = read_fault(read, error);
        if (err)
            return err;
    }
    return 0;
}

/* Whether no round follows, for either side. */
static bool is_last_round(const struct job *job)
{
    return job_is_last_round(job) &&
           (!job->second || job_is_last_round(job->second));
}

/* A fault of the planning comes last: it follows all that was planned. */
static int complete_round(struct worker *w, struct job *job,
                          struct error *error)
{
    for (struct job *side = job; side; side = side->second) {
        int err = complete_side(w, side, error);

        if (err)
            return err;
    }
    if (is_last_round(job) && job->fault.code)
        error_move(error, &job->fault);
    return error->code;
}

static void count_reads(struct worker *w, const struct job *job)
{
    for (size_t i = 0; i < job->read_count; i++) {
        if (job->reads[i].kind != READ_ZEROS)
            w->counts.read += job->reads[i].len;
    }
    for (size_t i = 0; i < job->cluster_count; i++)
        w->counts.decoded += job->clusters[i].extent.length;
}

static void count(struct worker *w, const struct job *job,
                  const struct found *found)
{
    w->counts.hole += job->slot->hole;
    w->counts.zero += found->zeros;
    w->counts.known += job->slot->known;
    w->counts.data += slot_data_length(job->slot) - found->zeros;
    false_hole_merge(&w->false_hole, &found->false_hole);
    for (const struct job *side = job; side; side = side->second)
        count_reads(w, side);
}

/* Make a job free. None of its reads is in flight. */
static void release(struct worker *w, struct job *job)
{
    error_clear(&job->fault);
    job->next = w->free;
    w->free = job;
}

/* Hash a job, or compare a pair. */
static int process(struct worker *w, struct job *job, struct found *found,
                   struct error *error)
{
    int err;

    assert(is_last_round(job));
    for (const struct job *side = job; side; side = side->second)
        assert(side->clusters_done == side->cluster_count);
    if (job->second) {
        compare_job(job, found);
        return 0;
    }
    err = hash_job(w->hashes, job, found);
    if (err)
        error_set(error, err, "%s: cannot compute digests: %s",
                  w->ring->source->name, strerror(err));
    return err;
}

/* The last round of a job is complete: process it and commit its slot.
 * Returns whether that succeeded. */
static bool finish_job(struct worker *w, struct job *job, struct found *found)
{
    struct error error = ERROR_INIT;
    int err = complete_round(w, job, &error);
    bool failed;

    if (!err)
        err = process(w, job, found, &error);
    /* A job with mapped bytes has one round. If pages were missing, or if there
     * is a fault, which may not be the first then, read them instead. */
    failed = windows_failed(w);
    if ((failed || err) && read_mapped_again(job)) {
        error_clear(&error);
        for (struct job *side = job; side; side = side->second)
            side->clusters_done = 0;
        err = complete_round(w, job, &error);
        if (!err)
            err = process(w, job, found, &error);
    }
    if (err) {
        ring_fail(w->ring, job->slot, &error);
    } else {
        count(w, job, found);
        ring_commit(w->ring, job->slot);
    }
    release(w, job);
    return !err;
}

/* Get the pages of the buffer, before it is written. */
static void populate_buffer(struct job *job)
{
    if (job->populated < job->len) {
        populate(job->buf + job->populated, job->len - job->populated);
        job->populated = job->len;
    }
}

/* To compare zeros, they need not be in memory. */
static void clear(const struct worker *w, struct job *job, struct read *read)
{
    if (!w->pairs) {
        populate_buffer(job);
        memset(read->buf, 0, read->len);
    }
    read->done = read->len;
}

/* Get what a round can get without waiting, data by this method. Returns
 * whether that is all. Compressed bytes are always copied: a copy costs little
 * beside decoding. */
static bool try_side(struct worker *w, struct job *job, enum read_method method)
{
    bool all = true;
    bool mapped = false;

    for (size_t i = job->round; i < job->round_end; i++) {
        struct read *read = &job->reads[i];

        if (read->kind == READ_ZEROS) {
            clear(w, job, read);
            continue;
        }
        /* A job that has to wait cannot keep the window. */
        if (all && method == READ_METHOD_MMAP && read->kind == READ_DATA)
            read->view =
                read->reader->ops->view(read, window_of(w, job), mapped);
        if (read->view) {
            mapped = true;
            read->done = read->len;
            read_debug(read, "mmap");
            continue;
        }
        populate_buffer(job);
        if (read->reader->ops->try_read(read))
            read_debug(read, "page cache");
        else
            all = false;
    }
    return all;
}

static bool try_reads(struct worker *w, struct job *job,
                      enum read_method method)
{
    bool all = true;

    for (struct job *side = job; side; side = side->second)
        all = try_side(w, side, all ? method : READ_METHOD_COPY) && all;
    if (!all)
        read_mapped_again(job);
    return all;
}

static uint64_t cpu_time(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/* One side of a pair may have no reads, and no list of them either. */
static size_t reads_of_round(const struct job *side)
{
    return side->round_end - side->round;
}

/* Submit the reads of a round that are not finished. */
static int submit_reads(struct worker *w, struct job *job, struct error *error)
{
    for (struct job *side = job; side; side = side->second) {
        size_t count = reads_of_round(side);

        if (count &&
            queues_prepare(&w->queues, &side->reads[side->round], count, error))
            return error->code;
    }
    job->reads_left = 0;
    for (struct job *side = job; side; side = side->second) {
        size_t count = reads_of_round(side);

        if (count)
            job->reads_left +=
                queues_submit(&w->queues, &side->reads[side->round], count);
    }
    w->in_flight++;
    return 0;
}

/* Begin the next round of a job. *ready: all its bytes are there already. */
static int begin_round(struct worker *w, struct job *job,
                       enum read_method method, bool *ready,
                       struct error *error)
{
    for (struct job *side = job; side; side = side->second) {
        if (job_next_round(side, w->round_size))
            return error_no_memory(error, w->ring->source->name);
    }
    /* The window moves between rounds; and what will not be hashed is read, not
     * mapped, to find its faults. */
    if (!is_last_round(job) || job->fault.code)
        method = READ_METHOD_COPY;
    *ready = try_reads(w, job, method);
    return *ready ? 0 : submit_reads(w, job, error);
}

/* A round is complete: go on with the job until it has to wait. Returns whether
 * the job is processed. */
static bool continue_job(struct worker *w, struct job *job, struct found *found)
{
    struct error error = ERROR_INIT;
    bool ready = true;
    int err = 0;

    while (ready && !err && ring_wants(w->ring, job->slot)) {
        if (is_last_round(job))
            return finish_job(w, job, found);
        err = complete_round(w, job, &error);
        if (!err)
            err = begin_round(w, job, READ_METHOD_COPY, &ready, &error);
    }
    if (err)
        ring_fail(w->ring, job->slot, &error);
    if (err || ready)
        release(w, job);
    return false;
}

/* Whether the time of a job says something about a method: not that of
 * decoding; nor of a pair that is read in part only. */
static bool shows_method(const struct job *job)
{
    for (const struct job *side = job; side; side = side->second) {
        if (side->cluster_count || side->round)
            return false;
        for (size_t i = 0; job->second && i < side->read_count; i++) {
            if (side->reads[i].kind == READ_ZEROS)
                return false;
        }
    }
    return true;
}

static void start_job(struct worker *w, struct job *job)
{
    struct error error = ERROR_INIT;
    bool measure, ready;
    enum read_method method = read_choice_next(w->choice, job->len, &measure);
    uint64_t before = measure ? cpu_time() : 0;
    struct found found;

    if (begin_round(w, job, method, &ready, &error)) {
        ring_fail(w->ring, job->slot, &error);
        release(w, job);
    } else if (ready && continue_job(w, job, &found)) {
        if (shows_method(job))
            read_choice_note(w->choice, method,
                             measure ? cpu_time() - before : 0, job->len,
                             found.zeros);
    }
}

/* Go on with jobs whose reads are finished; wait for one, if asked to. */
static void reap(struct worker *w, bool wait)
{
    struct read *read;

    while (w->in_flight && (read = queues_reap(&w->queues, wait)) != NULL) {
        struct job *job = read->owner;

        assert(job->reads_left > 0);
        wait = false;
        if (--job->reads_left == 0) {
            struct found found;

            w->in_flight--;
            continue_job(w, job, &found);
        }
    }
}

/* The buffer of a job, or of a side of a pair. */
static bool make_buffer(const struct worker *w, struct job *job)
{
    void *buf;

    if (posix_memalign(&buf, BUFFER_ALIGNMENT, w->slot_size))
        return false;
    job->buf = buf;
    job->capacity = w->slot_size;
    return true;
}

/* A job to hash, or a pair. */
static bool make_job(const struct worker *w, struct job *job,
                     struct job *second)
{
    *job = (struct job){ .owner = job, .second = second };
    if (second) {
        *second = (struct job){ .owner = job };
        return make_buffer(w, job) && make_buffer(w, second);
    }
    job->blocks =
        calloc(w->slot_size / w->hashes->smallest, sizeof(*job->blocks));
    return job->blocks && make_buffer(w, job);
}

static void free_sides(struct job *job)
{
    for (struct job *side = job; side; side = side->second)
        job_free(side);
}

/* The free job that was used last. Where all are in flight, make one; so bytes
 * in the page cache, and small images, need only one. NULL: there are `depth`
 * of them, or no memory. */
static struct job *free_job(struct worker *w)
{
    struct job *job = w->free;

    if (job || w->job_count == w->depth)
        return job;
    job = &w->jobs[w->job_count];
    if (!make_job(w, job, w->pairs ? &w->seconds[w->job_count] : NULL)) {
        free_sides(job);
        return NULL;
    }
    w->job_count++;
    w->free = job;
    return job;
}

static void fail_memory(struct worker *w)
{
    struct error error = ERROR_INIT;

    error_no_memory(&error, w->ring->source->name);
    ring_fail(w->ring, NULL, &error);
}

void worker_run(struct worker *w)
{
    for (;;) {
        enum ring_plan plan = RING_BUSY;
        struct job *job = free_job(w);

        if (job)
            plan = ring_plan(w->ring, job, w->in_flight == 0);
        else if (w->in_flight == 0)
            fail_memory(w);

        if (plan == RING_PLANNED) {
            w->free = job->next;
            start_job(w, job);
        } else if (w->in_flight == 0) {
            break;
        }
        reap(w, plan != RING_PLANNED);
    }
}

int worker_init(struct worker *w, struct ring *ring, bool pairs,
                const struct sizes *sizes)
{
    memset(w, 0, sizeof(*w));
    w->ring = ring;
    w->hashes = ring->hashes;
    w->pairs = pairs;
    w->depth = w->queues.depth = sizes->queue_depth;
    if (pairs) {
        w->queues.depth *= 2;
        w->seconds = calloc(w->depth, sizeof(*w->seconds));
        if (!w->seconds)
            return ENOMEM;
    }
    w->slot_size = sizes->slot_size;
    w->round_size = sizes->round_size;
    w->choice = read_choice_shared();
    w->jobs = calloc(w->depth, sizeof(*w->jobs));
    return w->jobs ? 0 : ENOMEM;
}

void worker_free(struct worker *w)
{
    queues_free(&w->queues);
    for (unsigned i = 0; i < w->job_count; i++)
        free_sides(&w->jobs[i]);
    free(w->jobs);
    free(w->seconds);
    cluster_decoder_free(&w->decoder);
    for (size_t i = 0; i < ARRAY_SIZE(w->windows); i++)
        window_close(&w->windows[i]);
}
