/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simple version: plan a slot, read it, hash it, commit it, again. What is
 * more here: a slot whose bytes are not at hand is left in flight, up to
 * `depth` of them, and the worker goes on with the next. Bytes that are in the
 * page cache are never left: they are hashed where they are, or copied and
 * hashed at once, while they are in this core's cache.
 */
#include "engine/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/memory.h"
#include "engine/fault.h"

/* Direct I/O wants the memory aligned, too. */
#define BUFFER_ALIGNMENT 4096

/* Where the blocks are. One that lies across the end of a view is put together
 * in the buffer. */
static void place_blocks(const struct worker *w, struct job *job)
{
    size_t size = w->block_size;
    size_t count = (job->len + size - 1) / size;

    for (size_t i = 0; i < count; i++)
        job->blocks[i] = job->buf + i * size;

    for (size_t i = 0; i < job->read_count; i++) {
        const struct read *read = &job->reads[i];
        size_t left = read->len;
        const unsigned char *p = read->view;
        size_t at;

        if (!p)
            continue;
        at = read->buf - job->buf; /* input has no view */
        while (left) {
            size_t in_block = at % size;
            size_t n = size - in_block;

            if (n > left)
                n = left;
            if (in_block == 0 && (n == size || at + n == job->len))
                job->blocks[at / size] = p;
            else
                memcpy(job->buf + at, p, n);
            p += n;
            at += n;
            left -= n;
        }
    }
}

/* What hash() found out. */
struct found {
    size_t zero_blocks;
    struct false_hole false_hole;
};

/* Look for data where there should be a hole. */
static void check_holes(const struct job *job, struct found *found)
{
    for (size_t i = 0; i < job->read_count; i++) {
        const struct read *read = &job->reads[i];
        const unsigned char *p = read->view ? read->view : read->buf;
        size_t at = 0;

        if (!read->hole || (p[0] == 0 && memcmp(p, p + 1, read->len - 1) == 0))
            continue;
        while (at < read->len - 1 && p[at] == 0)
            at++;
        false_hole_merge(&found->false_hole,
                         &(struct false_hole){ .name = read->reader->name,
                                               .offset = read->offset + at });
    }
}

/* Compute the digests of a job whose bytes are all there. */
static int hash(struct worker *w, struct job *job, struct found *found,
                struct error *error)
{
    size_t whole = job->len / w->block_size;
    size_t rest = job->len % w->block_size;
    unsigned char *mds = job->slot->mds;
    int err;

    check_holes(job, found);
    place_blocks(w, job);
    err = blkhash_leaf_hashv(w->leaf, (const void *const *)job->blocks, whole,
                             mds, &found->zero_blocks);
    if (!err && rest)
        err = blkhash_leaf_hash(w->leaf, job->blocks[whole], rest,
                                mds + whole * w->ring->md_size, NULL);
    if (err)
        error_set(error, err, "%s: cannot compute digests: %s",
                  w->ring->source->name, strerror(err));
    return err;
}

/* Read what is in views, instead. False: nothing is. */
static bool read_views(struct job *job)
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

/* Read number n came back, with compressed bytes: decode their clusters, as far
 * as it goes. */
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

/* Check that all reads of a round gave what they should, and decode its
 * clusters, in the order of the guest's disk: so the first fault there is the
 * one that is found. The last of a job is where planning met one. */
static int take_in(struct worker *w, struct job *job, struct error *error)
{
    for (size_t i = job->round; i < job->round_end; i++) {
        struct read *read = &job->reads[i];
        int err = 0;

        if (read->done < read->len)
            find_fault(read);
        if (read->kind == READ_INPUT)
            err = decode_clusters(w, job, i, error);
        if (!err && read->done < read->len)
            err = read_fault(read, error);
        if (err)
            return err;
    }
    if (job_is_last_round(job) && job->fault.code)
        error_move(error, &job->fault);
    return error->code;
}

static void count(struct worker *w, const struct job *job,
                  const struct found *found)
{
    uint64_t zero = (uint64_t)found->zero_blocks * w->block_size;

    w->counts.hole += job->slot->hole;
    w->counts.zero += zero;
    w->counts.data += job->slot->length - job->slot->hole - zero;
    false_hole_merge(&w->false_hole, &found->false_hole);
    for (size_t i = 0; i < job->read_count; i++) {
        if (job->reads[i].kind != READ_ZEROS)
            w->counts.read += job->reads[i].len;
    }
    for (size_t i = 0; i < job->cluster_count; i++)
        w->counts.decoded += job->clusters[i].extent.length;
}

/* Nothing of a job is in flight any more. */
static void release(struct worker *w, struct job *job)
{
    error_clear(&job->fault);
    job->next = w->free;
    w->free = job;
}

/* The last round of a job came back: hash the job and hand in its digests.
 * True: that was done. */
static bool finish(struct worker *w, struct job *job, struct found *found)
{
    struct error error = ERROR_INIT;
    int err = take_in(w, job, &error);
    bool failed;

    *found = (struct found){ .zero_blocks = 0 };
    if (!err)
        err = hash(w, job, found, &error);
    /* A job with views has one round. Its first fault may be in one of them. */
    failed = window_failed(&w->window);
    if ((failed || err) && read_views(job)) {
        error_clear(&error);
        *found = (struct found){ .zero_blocks = 0 };
        job->clusters_done = 0;
        err = take_in(w, job, &error);
        if (!err)
            err = hash(w, job, found, &error);
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

/* The queue for a reader, which is made when it is first needed. NULL: it
 * cannot be. There are as many as kinds of readers in the image: few. */
static struct worker_queue *queue_for(struct worker *w, struct reader *reader,
                                      struct error *error)
{
    struct worker_queue *queues;

    for (size_t i = 0; i < w->queue_count; i++) {
        if (w->queues[i].group == reader->queue_group)
            return &w->queues[i];
    }
    queues = realloc(w->queues, (w->queue_count + 1) * sizeof(*queues));
    if (!queues) {
        error_no_memory(error, reader->name);
        return NULL;
    }
    w->queues = queues;
    queues += w->queue_count;
    *queues = (struct worker_queue){ .group = reader->queue_group };
    if (reader->ops->queue_new(reader, w->depth, &queues->queue, error))
        return NULL;
    w->queue_count++;
    return queues;
}

/* Leave what is missing of a round to the queues. First it is made sure that
 * they are there: a round is never half in flight. */
static int submit(struct worker *w, struct job *job, struct error *error)
{
    job->reads_left = 0;
    for (size_t i = job->round; i < job->round_end; i++) {
        const struct read *read = &job->reads[i];

        if (read->done == read->len)
            continue;
        if (!queue_for(w, read->reader, error))
            return error->code;
        job->reads_left++;
    }
    w->in_flight++;
    for (size_t i = job->round; i < job->round_end;) {
        struct read *reads = &job->reads[i++];
        struct worker_queue *q;
        size_t count = 1;

        if (reads->done == reads->len)
            continue;
        q = queue_for(w, reads->reader, error);
        while (i < job->round_end && reads[count].done < reads[count].len &&
               reads[count].reader->queue_group == q->group) {
            count++;
            i++;
        }
        q->in_flight += count;
        q->queue->ops->submit(q->queue, reads, count);
    }
    return 0;
}

/* The buffer will be written. */
static void prepare(struct job *job)
{
    if (job->populated < job->len) {
        populate(job->buf + job->populated, job->len - job->populated);
        job->populated = job->len;
    }
}

/* Get the bytes of a round, of data by this method. True: they are all there.
 * Compressed bytes are copied: they are few for the work that follows. */
static bool try_reads(struct worker *w, struct job *job,
                      enum read_method method)
{
    bool all = true;
    bool viewed = false;

    for (size_t i = job->round; i < job->round_end; i++) {
        struct read *read = &job->reads[i];

        if (read->kind == READ_ZEROS) {
            prepare(job);
            memset(read->buf, 0, read->len);
            read->done = read->len;
            continue;
        }
        /* A job that has to wait does not keep the window. */
        if (all && method == READ_METHOD_MMAP && read->kind == READ_DATA)
            read->view = read->reader->ops->view(read, &w->window, viewed);
        if (read->view) {
            viewed = true;
            read->done = read->len;
            read_debug(read, "mmap");
            continue;
        }
        prepare(job);
        if (read->reader->ops->try_read(read))
            read_debug(read, "page cache");
        else
            all = false;
    }
    if (!all && viewed)
        read_views(job);
    return all;
}

static uint64_t cpu_time(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/* Begin the next round of a job. *there: all its bytes are there already. */
static int begin_round(struct worker *w, struct job *job,
                       enum read_method method, bool *there,
                       struct error *error)
{
    if (job_next_round(job, w->round_size))
        return error_no_memory(error, w->ring->source->name);
    /* A view would not last for more rounds, and what is not hashed is not
     * looked at in one. */
    if (!job_is_last_round(job) || job->fault.code)
        method = READ_METHOD_COPY;
    *there = try_reads(w, job, method);
    return *there ? 0 : submit(w, job, error);
}

/* A round came back: go on, until bytes have to be waited for. True: the job is
 * hashed. */
static bool go_on(struct worker *w, struct job *job, struct found *found)
{
    struct error error = ERROR_INIT;
    bool there = true;
    int err = 0;

    while (there && !err && ring_wants(w->ring, job->slot)) {
        if (job_is_last_round(job))
            return finish(w, job, found);
        err = take_in(w, job, &error);
        if (!err)
            err = begin_round(w, job, READ_METHOD_COPY, &there, &error);
    }
    if (err)
        ring_fail(w->ring, job->slot, &error);
    if (err || there)
        release(w, job);
    return false;
}

static void start(struct worker *w, struct job *job)
{
    struct error error = ERROR_INIT;
    bool measure, there;
    enum read_method method = read_choice_next(w->choice, job->len, &measure);
    uint64_t before = measure ? cpu_time() : 0;
    struct found found;

    if (begin_round(w, job, method, &there, &error)) {
        ring_fail(w->ring, job->slot, &error);
        release(w, job);
    } else if (there && go_on(w, job, &found)) {
        /* What was decoded says nothing about a method. */
        if (job->cluster_count == 0 && job->round == 0)
            read_choice_note(w->choice, method,
                             measure ? cpu_time() - before : 0, job->len,
                             found.zero_blocks * w->block_size);
    }
}

/* The next read that is finished, of any queue. */
static struct read *reap_one(struct worker *w, bool wait)
{
    struct worker_queue *busy = NULL;
    struct read *read = NULL;

    for (size_t i = 0; !read && i < w->queue_count; i++) {
        struct worker_queue *q = &w->queues[i];

        if (q->in_flight == 0)
            continue;
        busy = q;
        read = q->queue->ops->reap(q->queue, false);
    }
    /* Any will do: its reads must come back some time, and others wait. */
    if (!read && wait)
        read = busy->queue->ops->reap(busy->queue, true);
    if (read) {
        busy->in_flight--;
        read_debug(read, busy->queue->ops->name);
    }
    return read;
}

/* Take in reads that are finished. */
static void reap(struct worker *w, bool wait)
{
    struct read *read;

    while (w->in_flight && (read = reap_one(w, wait)) != NULL) {
        struct job *job = read->owner;

        wait = false;
        if (--job->reads_left == 0) {
            struct found found;

            w->in_flight--;
            go_on(w, job, &found);
        }
    }
}

/* The job that was used last. Most are made when all others are in flight:
 * bytes that are at hand, and small images, need no more than one. NULL: as
 * many as there may be are in flight. */
static struct job *free_job(struct worker *w)
{
    struct job *job = w->free;
    void *buf;

    if (job || w->job_count == w->depth)
        return job;
    job = &w->jobs[w->job_count];
    job->blocks = calloc(w->slot_size / w->block_size, sizeof(*job->blocks));
    if (!job->blocks || posix_memalign(&buf, BUFFER_ALIGNMENT, w->slot_size)) {
        free(job->blocks);
        return NULL;
    }
    job->buf = buf;
    job->capacity = w->slot_size;
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
            start(w, job);
        } else if (w->in_flight == 0) {
            break;
        }
        reap(w, plan != RING_PLANNED);
    }
}

int worker_init(struct worker *w, struct ring *ring, struct blkhash_leaf *leaf,
                const struct engine_options *options, size_t slot_size,
                size_t round_size)
{
    memset(w, 0, sizeof(*w));
    w->ring = ring;
    w->leaf = leaf;
    w->block_size = options->block_size;
    w->depth = options->queue_depth;
    w->slot_size = slot_size;
    w->round_size = round_size;
    w->choice = read_choice_shared();
    w->jobs = calloc(w->depth, sizeof(*w->jobs));
    return w->jobs ? 0 : ENOMEM;
}

void worker_free(struct worker *w)
{
    for (size_t i = 0; i < w->queue_count; i++)
        w->queues[i].queue->ops->free(w->queues[i].queue);
    free(w->queues);
    for (unsigned i = 0; i < w->job_count; i++) {
        free(w->jobs[i].buf);
        free(w->jobs[i].blocks);
        free(w->jobs[i].reads);
        free(w->jobs[i].clusters);
        free(w->jobs[i].input);
        error_clear(&w->jobs[i].fault);
    }
    free(w->jobs);
    cluster_decoder_free(&w->decoder);
    window_close(&w->window);
}
