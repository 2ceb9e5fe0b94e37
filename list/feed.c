/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The simple version: read a run, give it to the sink, repeat. To verify a list
 * takes as long as to hash its digests, and a sink that compares it with
 * another list has the same to do. So a thread reads ahead, into one of two
 * buffers.
 */
#include "list/feed.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/thread.h"
#include "list/header.h"

#define BUFFERS 2

/* The most blocks in a buffer. Zeros could be many more; to verify these takes
 * some milliseconds. Then the sink may have found what it looks for. */
#define MAX_RUN (256 * 1024)

struct buffer {
    struct list_run run; /* 0 blocks: the end, or the error */
    unsigned char *mds;  /* room for those of the run */
};

struct feed {
    struct list_reader *list;
    size_t md_size;
    struct buffer buffers[BUFFERS];

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t changed;
    unsigned filled, emptied; /* buffers so far */
    bool stopped;             /* the sink wants no more */
    struct error error;       /* of the list */
};

int list_feed_end(const struct list_reader *list, struct sink_end *end,
                  struct error *error)
{
    list_reader_end(list, end);
    if (end->md_len)
        return 0;
    return error_set(error, EINVAL,
                     "%s: has only a part of the disk; put the parts together "
                     "first (--merge)",
                     list_reader_name(list));
}

/* --- the thread that reads ---------------------------------------------- */

/* Wait for an empty buffer. NULL: the sink wants no more. */
static struct buffer *next_empty(struct feed *f)
{
    struct buffer *b = NULL;

    pthread_mutex_lock(&f->lock);
    while (!f->stopped && f->filled - f->emptied == BUFFERS)
        pthread_cond_wait(&f->changed, &f->lock);
    if (!f->stopped)
        b = &f->buffers[f->filled % BUFFERS];
    pthread_mutex_unlock(&f->lock);
    return b;
}

static void *read_ahead(void *arg)
{
    struct feed *f = arg;
    struct buffer *b;
    bool more = true;

    while (more && (b = next_empty(f)) != NULL) {
        struct error error = ERROR_INIT;

        if (list_reader_next(f->list, MAX_RUN, &b->run, &error))
            b->run.blocks = 0;
        more = b->run.blocks > 0;
        if (more && b->run.mds)
            b->run.mds = memcpy(b->mds, b->run.mds, b->run.blocks * f->md_size);
        pthread_mutex_lock(&f->lock);
        error_move(&f->error, &error);
        f->filled++;
        pthread_cond_signal(&f->changed);
        pthread_mutex_unlock(&f->lock);
    }
    return NULL;
}

/* --- the caller's ------------------------------------------------------- */

static const struct list_run *next_filled(struct feed *f)
{
    pthread_mutex_lock(&f->lock);
    while (f->filled == f->emptied)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
    return &f->buffers[f->emptied % BUFFERS].run;
}

static void release(struct feed *f, bool stop)
{
    pthread_mutex_lock(&f->lock);
    f->emptied++;
    f->stopped = stop;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

/* Give the runs to the sink, up to the end or to an error of either. */
static int give_all(struct feed *f, struct sink *sink, struct error *error)
{
    bool more = true;
    int err = 0;

    while (!err && more) {
        const struct list_run *run = next_filled(f);

        more = run->blocks > 0;
        if (more)
            err = run->mds ? sink->digests(sink, run->mds, run->blocks, error)
                           : sink->zero(sink, run->blocks, error);
        release(f, err != 0);
    }
    return err;
}

static int start(struct feed *f, pthread_t *thread, struct error *error)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = thread_start(thread, read_ahead, f);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err)
        error_set(error, err, "%s: cannot start a thread: %s",
                  list_reader_name(f->list), strerror(err));
    return err;
}

static int run(struct feed *f, struct sink *sink, struct error *error)
{
    pthread_t thread;
    int err;

    for (int i = 0; i < BUFFERS; i++) {
        f->buffers[i].mds = malloc(LIST_MAX_CHUNK);
        if (!f->buffers[i].mds)
            return error_no_memory(error, list_reader_name(f->list));
    }
    err = start(f, &thread, error);
    if (err)
        return err;
    err = give_all(f, sink, error);
    pthread_join(thread, NULL);
    if (!err) {
        error_move(error, &f->error);
        err = error->code;
    }
    return err;
}

int list_feed(struct list_reader *list, struct sink *sink, struct error *error)
{
    struct feed f = { .list = list, .md_size = list_reader_md_size(list) };
    struct sink_end end;
    int err;

    pthread_mutex_init(&f.lock, NULL);
    pthread_cond_init(&f.changed, NULL);
    err = run(&f, sink, error);
    for (int i = 0; i < BUFFERS; i++)
        free(f.buffers[i].mds);
    error_clear(&f.error);
    pthread_cond_destroy(&f.changed);
    pthread_mutex_destroy(&f.lock);
    if (!err)
        err = list_feed_end(list, &end, error);
    return err ? err : sink->end(sink, &end, error);
}
