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
#include <string.h>
#include <time.h>

#include "common/array.h"
#include "common/memory.h"
#include "engine/fault.h"

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

/* The image that a job, or the second one of it, is for. */
static const char *side_name(const struct worker *w, const struct job *job,
                             const struct job *side)
{
    const struct source *source = w->ring->source;

    return side == job ? source->name : source->second_name;
}

/* A fault of the planning comes last: it follows all that was planned. */
static int complete_round(struct worker *w, struct job *job,
                          struct error *error)
{
    for (struct job *side = job; side; side = side->second) {
        int err = complete_side(w, side, error);

        if (err) {
            error_name_image(error, side_name(w, job, side));
            return err;
        }
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
    if (!err && w->hashes->takes_bytes)
        job_pool_hold(&w->pool, job);
    else
        job_pool_put(&w->pool, job);
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

        if (count && queues_prepare(&w->queues, &side->reads[side->round],
                                    count, error)) {
            error_name_image(error, side_name(w, job, side));
            return error->code;
        }
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
        job_pool_put(&w->pool, job);
    return false;
}

/* A lane that takes bytes needs them when the window has moved on. */
static enum read_method choose_method(const struct worker *w,
                                      const struct job *job, bool *measure)
{
    *measure = false;
    if (w->hashes->takes_bytes)
        return READ_METHOD_COPY;
    return read_choice_next(w->choice, job->len, measure);
}

/* Whether the time of a job says something about a method: not where there was
 * no choice; nor that of decoding; nor of a pair that is read in part only. */
static bool shows_method(const struct worker *w, const struct job *job)
{
    if (w->hashes->takes_bytes)
        return false;
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
    enum read_method method = choose_method(w, job, &measure);
    uint64_t before = measure ? cpu_time() : 0;
    struct found found;

    if (begin_round(w, job, method, &ready, &error)) {
        ring_fail(w->ring, job->slot, &error);
        job_pool_put(&w->pool, job);
    } else if (ready && continue_job(w, job, &found)) {
        if (shows_method(w, job))
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

static void fail_memory(struct worker *w)
{
    struct error error = ERROR_INIT;

    error_no_memory(&error, w->ring->source->name);
    ring_fail(w->ring, NULL, &error);
}

/* Take a job that is free. If lanes hold all of them, wait until one of them
 * does not. NULL: others are in flight, there is no memory, or an error stopped
 * the ring. */
static struct job *get_job(struct worker *w)
{
    struct job *job;

    do {
        if (w->pool.held)
            job_pool_release(&w->pool, ring_committed(w->ring));
        job = job_pool_get(&w->pool);
    } while (!job && w->in_flight == 0 && w->pool.held &&
             ring_wait(w->ring, job_pool_first_held(&w->pool)));
    return job;
}

/* Plan and start the next job. Returns whether there was one. *ended: nothing
 * is left to plan. */
static bool start_next(struct worker *w, bool *ended)
{
    struct job *job = get_job(w);
    enum ring_plan plan;

    if (!job) {
        *ended = w->in_flight == 0;
        if (*ended && !w->pool.held)
            fail_memory(w);
        return false;
    }
    plan = ring_plan(w->ring, job, w->in_flight == 0);
    *ended = plan == RING_END;
    if (plan == RING_PLANNED)
        start_job(w, job);
    else
        job_pool_put(&w->pool, job);
    return plan == RING_PLANNED;
}

void worker_run(struct worker *w)
{
    bool ended = false;

    while (!ended || w->in_flight) {
        bool started = start_next(w, &ended);

        reap(w, !started);
    }
    if (w->hashes->takes_bytes)
        ring_drain(w->ring);
}

int worker_init(struct worker *w, struct ring *ring, bool pairs,
                const struct sizes *sizes)
{
    memset(w, 0, sizeof(*w));
    w->ring = ring;
    w->hashes = ring->hashes;
    w->pairs = pairs;
    w->queues.depth = pairs ? 2 * sizes->queue_depth : sizes->queue_depth;
    w->round_size = sizes->round_size;
    w->choice = read_choice_shared();
    return job_pool_init(&w->pool, sizes->queue_depth, pairs, sizes->slot_size,
                         sizes->slot_size / w->hashes->smallest);
}

void worker_free(struct worker *w)
{
    queues_free(&w->queues);
    job_pool_free(&w->pool);
    cluster_decoder_free(&w->decoder);
    for (size_t i = 0; i < ARRAY_SIZE(w->windows); i++)
        window_close(&w->windows[i]);
}
