/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/thread.h"
#include "engine/difference-sink.h"
#include "engine/hashes.h"
#include "engine/ring.h"
#include "engine/sizes.h"
#include "engine/worker.h"

#define DEFAULT_MAX_THREADS 16
#define DEFAULT_QUEUE_DEPTH 8
#define DEFAULT_READ_SIZE MiB

struct thread {
    struct engine *engine;
    struct worker worker;
    pthread_t id;
};

struct engine {
    struct sizes sizes;
    struct image *image; /* NULL: a pipe */
    struct known *known; /* NULL: nothing is known */
    struct image *other; /* compared with image; NULL: image is hashed */
    struct source *source;
    struct hashes hashes;
    struct difference_sink differences;
    struct sink *difference_sink; /* of two images */
    struct ring ring;
    bool ring_ready;
    struct thread *threads;
    unsigned workers; /* that are ready */
    unsigned started;
    bool without_threads;
    int done_fd;

    pthread_mutex_t lock;
    pthread_cond_t decided; /* go is set */
    bool go;
    bool give_up;
    unsigned running;
};

void engine_default_options(struct engine_options *options)
{
    cpu_set_t cpus;
    unsigned count = DEFAULT_MAX_THREADS;

    /* Fails on a machine with more than 1,024 CPUs. */
    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
        count = CPU_COUNT(&cpus);
    *options = (struct engine_options){
        .threads = count < DEFAULT_MAX_THREADS ? count : DEFAULT_MAX_THREADS,
        .queue_depth = DEFAULT_QUEUE_DEPTH,
        .read_size = DEFAULT_READ_SIZE,
        .hashes = { { .digest = BLKHASH_DEFAULT_DIGEST,
                      .block_size = BLKHASH_DEFAULT_BLOCK_SIZE } },
        .hash_count = 1,
    };
}

bool engine_hashes_holes(const struct engine_options *options)
{
    for (unsigned i = 0; i < options->hash_count; i++) {
        if (options->hashes[i].block_size == 0)
            return true;
    }
    return false;
}

static int make_hashes(struct engine *e, const struct engine_options *o,
                       const struct engine_input *input)
{
    if (!e->other) {
        bool is_part =
            e->image && !image_source_is_whole(input, hashes_block_size(o));

        return hashes_init(&e->hashes, o, input, is_part, e->sizes.slot_blocks);
    }
    difference_sink_init(&e->differences, input->differences);
    e->difference_sink = &e->differences.sink;
    hashes_init_pair(&e->hashes,
                     input->sink_count ? input->sinks : &e->difference_sink,
                     e->sizes.slot_blocks);
    return 0;
}

static int make_source(struct engine *e, const struct engine_input *input)
{
    if (e->other)
        return pair_source_new(input, &e->source);
    if (e->image)
        return image_source_new(input, &e->hashes, e->sizes.known_blocks,
                                &e->source);
    return pipe_source_new(input, e->hashes.block_size, &e->source);
}

static int make_parts(struct engine *e, const struct engine_options *o,
                      const struct engine_input *input)
{
    const struct sizes *s = &e->sizes;
    int err = make_hashes(e, o, input);

    if (!err)
        err = make_source(e, input);
    if (err)
        return err;

    e->ring_ready = true;
    err = ring_init(&e->ring, e->source, &e->hashes,
                    s->threads * s->queue_depth, s->slot_blocks);
    if (err)
        return err;

    e->threads = calloc(s->threads, sizeof(*e->threads));
    if (!e->threads)
        return ENOMEM;
    while (!err && e->workers < s->threads) {
        struct thread *t = &e->threads[e->workers++];

        t->engine = e;
        err = worker_init(&t->worker, &e->ring, e->other != NULL, s);
    }
    if (err || e->without_threads)
        return err;

    e->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return e->done_fd < 0 ? errno : 0;
}

/* Whether all of the work is one slot whose bytes come through the page cache:
 * that takes about as long as to start a thread. A server or a pipe may wait
 * for long, and the caller has to show the progress meanwhile. */
static bool is_short(const struct engine *e)
{
    return e->image && e->image->cached && e->sizes.threads == 1 &&
           e->image->size <= e->sizes.slot_size &&
           (!e->other || e->other->cached);
}

int engine_new(const struct engine_options *options,
               const struct engine_input *input, struct engine **engine,
               struct error *error)
{
    struct engine *e = calloc(1, sizeof(*e));
    int err;

    if (!e)
        return error_no_memory(error, input->name);
    e->image = input->image;
    e->known = input->known;
    e->other = input->other;
    e->done_fd = -1;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->decided, NULL);

    if (e->other)
        sizes_choose_pair(&e->sizes, options, e->image, e->other);
    else
        sizes_choose(&e->sizes, options, e->image);
    e->without_threads = is_short(e);
    err = make_parts(e, options, input);
    if (err) {
        engine_free(e);
        return error_set(error, err, "%s: cannot set up the hash: %s",
                         input->name, strerror(err));
    }
    *engine = e;
    return 0;
}

static void *thread_main(void *arg)
{
    struct thread *t = arg;
    struct engine *e = t->engine;
    bool last, give_up;

    /* None begins before all exist: a worker that waits for a pipe cannot be
     * stopped. */
    pthread_mutex_lock(&e->lock);
    while (!e->go)
        pthread_cond_wait(&e->decided, &e->lock);
    give_up = e->give_up;
    pthread_mutex_unlock(&e->lock);
    if (!give_up)
        worker_run(&t->worker);

    pthread_mutex_lock(&e->lock);
    last = --e->running == 0;
    pthread_mutex_unlock(&e->lock);
    if (last)
        eventfd_write(e->done_fd, 1);
    return NULL;
}

int engine_start(struct engine *e, struct error *error)
{
    sigset_t all, before;
    int err = 0;

    if (e->without_threads) {
        worker_run(&e->threads[0].worker);
        return 0;
    }
    e->running = e->sizes.threads;
    sigfillset(&all);
    sigdelset(&all, SIGBUS); /* see reader/window.h */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (!err && e->started < e->sizes.threads) {
        struct thread *t = &e->threads[e->started];

        err = thread_start(&t->id, thread_main, t);
        if (!err)
            e->started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    pthread_mutex_lock(&e->lock);
    e->go = true;
    e->give_up = err != 0;
    pthread_cond_broadcast(&e->decided);
    pthread_mutex_unlock(&e->lock);
    if (!err)
        return 0;

    error_set(error, err, "%s: cannot start a thread: %s", e->source->name,
              strerror(err));
    for (unsigned i = 0; i < e->started; i++)
        pthread_join(e->threads[i].id, NULL);
    e->started = 0;
    return err;
}

int engine_done_fd(const struct engine *e)
{
    return e->done_fd;
}

void engine_progress(struct engine *e, struct engine_progress *progress)
{
    pthread_mutex_lock(&e->ring.lock);
    *progress = (struct engine_progress){
        .done = e->ring.done,
        .size = e->source->size,
        .unread = e->ring.unread,
    };
    pthread_mutex_unlock(&e->ring.lock);
}

static void add_counts(struct engine_counts *sum,
                       const struct engine_counts *part)
{
    sum->data += part->data;
    sum->zero += part->zero;
    sum->hole += part->hole;
    sum->known += part->known;
    sum->read += part->read;
    sum->decoded += part->decoded;
}

int engine_finish(struct engine *e, struct engine_result *result,
                  struct error *error)
{
    int err;

    memset(result, 0, sizeof(*result));
    result->threads = e->workers;
    for (unsigned i = 0; i < e->started; i++)
        pthread_join(e->threads[i].id, NULL);
    for (unsigned i = 0; i < e->workers; i++) {
        add_counts(&result->counts, &e->threads[i].worker.counts);
        false_hole_merge(&result->false_hole, &e->threads[i].worker.false_hole);
    }
    e->started = 0;
    result->lookalike = e->source->lookalike;

    if (e->ring.stopped) {
        /* What was read behind the fault depends on the threads. */
        result->false_hole.name = NULL;
        err = e->ring.error.code;
        error_move(error, &e->ring.error);
        return err;
    }
    if (e->image) {
        err = image_check_unchanged(e->image, error);
        result->changed = err != 0;
        if (!err && e->other)
            err = image_check_unchanged(e->other, error);
        if (!err && e->known)
            err = known_end(e->known, error);
        if (err)
            return err;
        assert(e->ring.done == e->source->size);
        result->length = e->other ? e->source->size : e->image->size;
    } else {
        result->counts.read = e->ring.done;
        result->length = e->ring.done;
    }
    return hashes_end(&e->hashes, result->length, result->sums, error);
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    for (unsigned i = 0; i < e->workers; i++)
        worker_free(&e->threads[i].worker);
    free(e->threads);
    if (e->ring_ready)
        ring_free(&e->ring);
    if (e->source)
        e->source->free(e->source);
    hashes_free(&e->hashes);
    if (e->done_fd >= 0)
        close(e->done_fd);
    pthread_cond_destroy(&e->decided);
    pthread_mutex_destroy(&e->lock);
    free(e);
}
