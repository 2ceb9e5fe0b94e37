/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rules of the lock.
 *
 * Locks. There is one, q->lock, and no other is taken while it is held, so
 * there is no order of locks. Hashing, for which the leaf has a lock of its
 * own, and the root's work are done without it.
 *
 * Fields. struct queue says which are under the lock. A piece belongs to one
 * thread at a time, which needs no lock for it:
 *
 *     from queue_next() to queue_push()    the filling thread
 *     pushed                               no thread: it waits to be taken
 *     taken                                the worker that took it
 *     hashed                               the committing thread
 *     committed                            no thread: its slot is free
 *
 * It changes hands under the lock, so each thread sees what the one before it
 * wrote. From queue_push() on, piece->hashed is under the lock; update->pieces
 * always is.
 *
 * The committing thread is the one that set q->committing. Another that has
 * hashed a piece finds it set and goes on: the committing thread looks at the
 * next piece, under the lock, before it clears the flag.
 *
 * Waiting. Workers wait on `work`; queue_push() wakes one, queue_free() all.
 * Only the filling thread waits on `changed`, so it is signalled, not
 * broadcast: after each batch that is hashed, and each piece that is committed.
 *
 * Errors. The first one stays in q->error. After it the work on pieces is left
 * out, but they are still taken, marked as hashed and committed. So the filling
 * thread does not wait forever, and each update gets a completion, with the
 * error.
 *
 * The end. queue_free() sets q->stopping. A worker finishes the batch or the
 * step that it is in, and exits. Other pieces stay where they are, and their
 * updates get no completion.
 *
 * Cancellation. No thread is cancelled while it holds the lock: the functions
 * of blkhash.h hold it off (cancel.h), and a program cannot name the workers.
 */
#include "lib/queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "common/array.h"
#include "common/thread.h"

struct queue {
    /* Constant, except for the pieces themselves; see above. */
    struct pieces pieces;

    /* The filling thread's own. */
    pthread_t *threads;
    unsigned thread_count; /* 0: it does the work */

    pthread_mutex_t lock;   /* for all below */
    pthread_cond_t work;    /* a piece was pushed, or stopping */
    pthread_cond_t changed; /* a piece was hashed or committed */

    /* Numbers of pieces: a worker has taken those from committed to taken, and
     * those from taken to filled wait for one. */
    uint64_t filled, taken, committed;
    size_t waiting;  /* blocks of the pieces that wait for a worker */
    bool committing; /* a thread is doing it */
    bool stopping;
    int error; /* 0, or the first */
    struct updates updates;
};

static void check(const struct queue *q)
{
    assert(q->committed <= q->taken && q->taken <= q->filled);
    assert(q->filled - q->committed <= q->pieces.depth);
    assert(q->taken < q->filled || q->waiting == 0);
}

static void set_error(struct queue *q, int error)
{
    if (!q->error)
        q->error = error;
}

/* --- work: called with the lock held, which they leave for the work ------- */

/* Note that a piece no longer uses the buffer of the update. */
static void release(struct queue *q, struct update *update)
{
    assert(update->pieces > 0);
    if (--update->pieces == 0 && update->asynchronous)
        updates_complete(&q->updates, update, q->error);
}

/* Take a batch of pieces, and hash it. There must be at least one piece. */
static void hash_some(struct queue *q)
{
    uint64_t first = q->taken;
    uint64_t end;
    size_t blocks = 0;

    assert(q->taken < q->filled);
    while (q->taken < q->filled && blocks < PIECES_BATCH_BLOCKS)
        blocks += piece_blocks(&q->pieces, piece_at(&q->pieces, q->taken++));
    assert(blocks <= q->waiting);
    q->waiting -= blocks;
    end = q->taken;
    check(q);

    if (!q->error) {
        int err;

        pthread_mutex_unlock(&q->lock);
        err = pieces_hash(&q->pieces, first, end);
        pthread_mutex_lock(&q->lock);
        set_error(q, err);
    }

    for (uint64_t i = first; i < end; i++) {
        struct piece *piece = piece_at(&q->pieces, i);

        piece->hashed = true;
        if (piece->update)
            release(q, piece->update);
    }
    pthread_cond_signal(&q->changed);
}

/* Whether the next piece can be committed. */
static bool can_commit(struct queue *q)
{
    return q->committed < q->taken &&
           piece_at(&q->pieces, q->committed)->hashed && !q->stopping;
}

/* Commit the pieces that are hashed, unless another thread is doing it. */
static void commit(struct queue *q)
{
    if (q->committing)
        return;
    q->committing = true;
    while (can_commit(q)) {
        struct piece *piece = piece_at(&q->pieces, q->committed);

        if (!q->error) {
            int err;

            pthread_mutex_unlock(&q->lock);
            err = piece_commit_step(&q->pieces, piece);
            pthread_mutex_lock(&q->lock);
            set_error(q, err);
            if (!err && piece->zero_blocks > 0)
                continue;
        }
        q->committed++;
        check(q);
        pthread_cond_signal(&q->changed);
    }
    q->committing = false;
}

static void *worker(void *arg)
{
    struct queue *q = arg;

    pthread_mutex_lock(&q->lock);
    for (;;) {
        while (q->taken == q->filled && !q->stopping)
            pthread_cond_wait(&q->work, &q->lock);
        if (q->stopping)
            break;
        hash_some(q);
        commit(q);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

/* Wait until some more pieces are hashed. There must be one that is not. */
static void wait_hashed(struct queue *q)
{
    if (q->thread_count > 0)
        pthread_cond_wait(&q->changed, &q->lock);
    else
        hash_some(q);
}

/* Wait until some more pieces are committed. There must be one that is not. */
static void wait_committed(struct queue *q)
{
    if (q->thread_count > 0) {
        pthread_cond_wait(&q->changed, &q->lock);
        return;
    }
    if (q->taken < q->filled)
        hash_some(q);
    commit(q);
}

/* --- the filling thread ------------------------------------------------- */

struct piece *queue_next(struct queue *q)
{
    struct piece *piece;

    pthread_mutex_lock(&q->lock);
    while (q->filled - q->committed == q->pieces.depth)
        wait_committed(q);
    piece = piece_at(&q->pieces, q->filled);
    pthread_mutex_unlock(&q->lock);

    piece->zero_blocks = 0;
    piece->data = piece->copy;
    piece->len = 0;
    piece->update = NULL;
    piece->hashed = false;
    return piece;
}

void queue_push(struct queue *q)
{
    struct piece *piece;

    pthread_mutex_lock(&q->lock);
    piece = piece_at(&q->pieces, q->filled);
    assert(piece->len <= q->pieces.size && !piece->hashed);
    if (piece->update)
        piece->update->pieces++;
    q->filled++;
    q->waiting += piece_blocks(&q->pieces, piece);
    check(q);
    if (q->thread_count > 0)
        pthread_cond_signal(&q->work);
    else if (q->waiting >= PIECES_BATCH_BLOCKS)
        hash_some(q);
    pthread_mutex_unlock(&q->lock);
}

int queue_drain(struct queue *q)
{
    int err;

    pthread_mutex_lock(&q->lock);
    while (q->committed < q->filled)
        wait_committed(q);
    err = q->error;
    pthread_mutex_unlock(&q->lock);
    return err;
}

void queue_wait(struct queue *q, struct update *update)
{
    assert(!update->asynchronous);
    pthread_mutex_lock(&q->lock);
    while (update->pieces > 0)
        wait_hashed(q);
    pthread_mutex_unlock(&q->lock);
}

int queue_error(struct queue *q)
{
    int err;

    pthread_mutex_lock(&q->lock);
    err = q->error;
    pthread_mutex_unlock(&q->lock);
    return err;
}

size_t queue_piece_size(const struct queue *q)
{
    return q->pieces.size;
}

/* --- asynchronous updates ----------------------------------------------- */

int queue_update_begin(struct queue *q, void *user_data, struct update **update)
{
    pthread_mutex_lock(&q->lock);
    *update = updates_begin(&q->updates, user_data);
    if (*update)
        (*update)->pieces = 1; /* until queue_update_end() */
    pthread_mutex_unlock(&q->lock);
    return *update ? 0 : EAGAIN;
}

void queue_update_end(struct queue *q, struct update *update)
{
    pthread_mutex_lock(&q->lock);
    if (q->thread_count == 0) {
        while (update->pieces > 1)
            hash_some(q);
    }
    release(q, update);
    pthread_mutex_unlock(&q->lock);
}

int queue_completion_fd(struct queue *q, int *fd)
{
    int err;

    pthread_mutex_lock(&q->lock);
    err = updates_fd(&q->updates, fd);
    pthread_mutex_unlock(&q->lock);
    return err;
}

unsigned queue_completions(struct queue *q, struct blkhash_completion *out,
                           unsigned max)
{
    unsigned count;

    pthread_mutex_lock(&q->lock);
    count = updates_fetch(&q->updates, out, max);
    pthread_mutex_unlock(&q->lock);
    return count;
}

/* --- begin and end ------------------------------------------------------ */

/* Signals are for the threads of the program. But a signal that an instruction
 * of this thread raises kills the program if it is blocked, even if there is a
 * handler, and the caller's buffer may be a mapped file. */
static void all_but_faults(sigset_t *set)
{
    static const int faults[] = { SIGBUS, SIGSEGV, SIGILL,
                                  SIGFPE, SIGTRAP, SIGSYS };

    sigfillset(set);
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
        sigdelset(set, faults[i]);
}

static int start_threads(struct queue *q, unsigned threads)
{
    sigset_t all, before;
    int err = 0;

    q->threads = calloc(threads, sizeof(*q->threads));
    if (!q->threads)
        return ENOMEM;
    all_but_faults(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (!err && q->thread_count < threads) {
        err = thread_start(&q->threads[q->thread_count], worker, q);
        if (!err)
            q->thread_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

int queue_new(struct blkhash_leaf *leaf, struct blkhash_root *root,
              size_t block_size, unsigned threads, unsigned depth,
              struct queue **queue)
{
    struct queue *q = calloc(1, sizeof(*q));
    int err;

    if (!q)
        return ENOMEM;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->work, NULL);
    pthread_cond_init(&q->changed, NULL);

    err = pieces_init(&q->pieces, leaf, root, block_size, depth);
    if (updates_init(&q->updates, depth) != 0)
        err = ENOMEM;
    if (!err && threads > 1)
        err = start_threads(q, threads);
    if (err) {
        queue_free(q);
        return err;
    }
    *queue = q;
    return 0;
}

void queue_free(struct queue *q)
{
    if (!q)
        return;

    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    pthread_cond_broadcast(&q->work);
    pthread_mutex_unlock(&q->lock);
    for (unsigned i = 0; i < q->thread_count; i++)
        pthread_join(q->threads[i], NULL);

    assert(!q->committing);
    updates_destroy(&q->updates);
    pieces_destroy(&q->pieces);
    free(q->threads);
    pthread_cond_destroy(&q->changed);
    pthread_cond_destroy(&q->work);
    pthread_mutex_destroy(&q->lock);
    free(q);
}
