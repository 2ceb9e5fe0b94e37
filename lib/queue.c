/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/queue.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/array.h"

/* A piece holds at least a block, and about so many bytes: small pieces share
 * the work evenly, large ones need the lock less often. */
#define PIECE_SIZE (256 * 1024)

/* Bounds the digests of a piece when blocks are tiny. */
#define PIECE_BLOCKS 4096

/* A worker takes pieces until it has so many blocks: all lanes of the widest
 * kernel. */
#define TAKE_BLOCKS 16

/* Zero blocks that enter the root in one step, some milliseconds: a run of them
 * can be longer than anybody waits, so the end is looked for after each. */
#define STEP_SIZE (UINT64_C(16) << 30)
#define STEP_BLOCKS (1 << 18)

struct queue {
    struct blkhash_leaf *leaf;
    struct blkhash_root *root;
    size_t block_size;
    size_t md_size;
    size_t piece_size;
    unsigned depth;
    struct piece *pieces; /* piece i of the content is at i % depth */

    pthread_mutex_t lock;   /* for all below */
    pthread_cond_t work;    /* a piece was pushed, or stopping */
    pthread_cond_t changed; /* a piece was hashed or committed */
    uint64_t filled, taken, committed;
    size_t waiting;  /* blocks of data that are filled and not taken */
    bool committing; /* a thread feeds the root */
    bool stopping;
    int error;

    struct update *updates;       /* depth of them */
    struct update **free_updates; /* a stack */
    unsigned free_count;
    struct blkhash_completion *completions; /* a ring of depth */
    unsigned first_completion, completion_count;
    int completion_fd; /* -1: nobody asked */

    pthread_t *threads;
    unsigned thread_count;
};

static struct piece *piece_at(struct queue *q, uint64_t i)
{
    return &q->pieces[i % q->depth];
}

static size_t piece_blocks(const struct queue *q, const struct piece *piece)
{
    return piece->len / q->block_size;
}

/* --- work, done without the lock ---------------------------------------- */

/* Blocks of several pieces, and where their digests go. */
struct gather {
    const void *blocks[TAKE_BLOCKS];
    unsigned char *mds[TAKE_BLOCKS];
    size_t count;
};

static int gather_hash(struct queue *q, struct gather *g)
{
    unsigned char mds[TAKE_BLOCKS * BLKHASH_MAX_MD_SIZE];
    int err = blkhash_leaf_hashv(q->leaf, g->blocks, g->count, mds, NULL);

    for (size_t i = 0; i < g->count; i++)
        memcpy(g->mds[i], mds + i * q->md_size, q->md_size);
    g->count = 0;
    return err;
}

/* Hash the pieces from first to end, blocks of neighbours together. */
static int hash_pieces(struct queue *q, uint64_t first, uint64_t end)
{
    struct gather g = { .count = 0 };
    int err = 0;

    for (uint64_t i = first; !err && i < end; i++) {
        struct piece *piece = piece_at(q, i);
        size_t blocks = piece_blocks(q, piece);
        size_t whole = blocks * q->block_size;

        for (size_t b = 0; !err && b < blocks; b++) {
            g.blocks[g.count] = piece->data + b * q->block_size;
            g.mds[g.count] = piece->mds + b * q->md_size;
            if (++g.count == TAKE_BLOCKS)
                err = gather_hash(q, &g);
        }
        if (!err && whole < piece->len)
            err = blkhash_leaf_hash(q->leaf, piece->data + whole,
                                    piece->len - whole,
                                    piece->mds + blocks * q->md_size, NULL);
    }
    return err ? err : gather_hash(q, &g);
}

static uint64_t step_blocks(const struct queue *q)
{
    uint64_t blocks = STEP_SIZE / q->block_size;

    return blocks < STEP_BLOCKS ? blocks : STEP_BLOCKS;
}

/* Feed the root with some of the piece's zero blocks, and when none is left
 * with its digests. */
static int commit_step(struct queue *q, struct piece *piece)
{
    uint64_t zeros = step_blocks(q);
    size_t count = piece_blocks(q, piece);
    int err;

    if (zeros > piece->zero_blocks)
        zeros = piece->zero_blocks;
    err = blkhash_root_zero(q->root, zeros);
    piece->zero_blocks -= zeros;
    if (err || piece->zero_blocks > 0)
        return err;

    if (piece->len % q->block_size)
        count++;
    return blkhash_root_digests(q->root, piece->mds, count);
}

/* --- work, with the lock held at begin and end -------------------------- */

static void complete(struct queue *q, struct update *update)
{
    unsigned last = (q->first_completion + q->completion_count++) % q->depth;

    q->completions[last] = (struct blkhash_completion){
        .user_data = update->user_data,
        .error = q->error,
    };
    q->free_updates[q->free_count++] = update;
    if (q->completion_fd >= 0)
        eventfd_write(q->completion_fd, 1);
}

static void release(struct queue *q, struct update *update)
{
    if (--update->pieces == 0 && update->asynchronous)
        complete(q, update);
}

/* Feed the root from the head of the ring, unless somebody does already. */
static void commit(struct queue *q)
{
    if (q->committing)
        return;
    q->committing = true;
    while (q->committed < q->taken && piece_at(q, q->committed)->hashed &&
           !q->stopping) {
        struct piece *piece = piece_at(q, q->committed);
        int err = q->error;

        if (!err) {
            pthread_mutex_unlock(&q->lock);
            err = commit_step(q, piece);
            pthread_mutex_lock(&q->lock);
        }
        if (err && !q->error)
            q->error = err;
        if (!err && piece->zero_blocks > 0)
            continue;
        q->committed++;
        pthread_cond_signal(&q->changed);
    }
    q->committing = false;
}

/* Take some pieces and hash them. There is one at least. */
static void hash_some(struct queue *q)
{
    uint64_t first = q->taken;
    size_t blocks = 0;
    int err = q->error;

    while (q->taken < q->filled && blocks < TAKE_BLOCKS)
        blocks += piece_blocks(q, piece_at(q, q->taken++));
    q->waiting -= blocks;
    uint64_t end = q->taken;

    if (!err) {
        pthread_mutex_unlock(&q->lock);
        err = hash_pieces(q, first, end);
        pthread_mutex_lock(&q->lock);
    }
    if (err && !q->error)
        q->error = err;

    for (uint64_t i = first; i < end; i++) {
        struct piece *piece = piece_at(q, i);

        piece->hashed = true;
        if (piece->update)
            release(q, piece->update);
    }
    pthread_cond_signal(&q->changed);
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

/* Wait for a piece that is pushed to be hashed. */
static void wait_hashed(struct queue *q)
{
    if (q->thread_count > 0)
        pthread_cond_wait(&q->changed, &q->lock);
    else
        hash_some(q);
}

/* Wait for one to be committed. */
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
    while (q->filled - q->committed == q->depth)
        wait_committed(q);
    piece = piece_at(q, q->filled);
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
    pthread_mutex_lock(&q->lock);
    struct piece *piece = piece_at(q, q->filled);

    if (piece->update)
        piece->update->pieces++;
    q->filled++;
    q->waiting += piece_blocks(q, piece);
    if (q->thread_count > 0)
        pthread_cond_signal(&q->work);
    else if (q->waiting >= TAKE_BLOCKS)
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
    return q->piece_size;
}

/* --- asynchronous updates ----------------------------------------------- */

int queue_update_begin(struct queue *q, void *user_data, struct update **update)
{
    int err = EAGAIN;

    pthread_mutex_lock(&q->lock);
    /* A completion that was not fetched holds its place. */
    if (q->free_count > q->completion_count) {
        *update = q->free_updates[--q->free_count];
        **update = (struct update){
            .pieces = 1,
            .asynchronous = true,
            .user_data = user_data,
        };
        err = 0;
    }
    pthread_mutex_unlock(&q->lock);
    return err;
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
    int err = 0;

    pthread_mutex_lock(&q->lock);
    if (q->completion_fd < 0) {
        q->completion_fd =
            eventfd(q->completion_count, EFD_CLOEXEC | EFD_NONBLOCK);
        if (q->completion_fd < 0)
            err = errno;
    }
    *fd = q->completion_fd;
    pthread_mutex_unlock(&q->lock);
    return err;
}

unsigned queue_completions(struct queue *q, struct blkhash_completion *out,
                           unsigned max)
{
    unsigned count = 0;

    pthread_mutex_lock(&q->lock);
    while (count < max && q->completion_count > 0) {
        out[count++] = q->completions[q->first_completion];
        q->first_completion = (q->first_completion + 1) % q->depth;
        q->completion_count--;
    }
    if (q->completion_fd >= 0 && q->completion_count == 0) {
        eventfd_t ignored;

        eventfd_read(q->completion_fd, &ignored);
    }
    pthread_mutex_unlock(&q->lock);
    return count;
}

/* --- begin and end ------------------------------------------------------ */

static int allocate(struct queue *q)
{
    size_t piece_mds = q->piece_size / q->block_size;

    q->pieces = calloc(q->depth, sizeof(*q->pieces));
    q->updates = calloc(q->depth, sizeof(*q->updates));
    q->free_updates = calloc(q->depth, sizeof(struct update *));
    q->completions = calloc(q->depth, sizeof(*q->completions));
    if (!q->pieces || !q->updates || !q->free_updates || !q->completions)
        return ENOMEM;

    for (unsigned i = 0; i < q->depth; i++) {
        q->free_updates[q->free_count++] = &q->updates[i];
        q->pieces[i].copy = malloc(q->piece_size);
        q->pieces[i].mds = malloc(piece_mds * q->md_size);
        if (!q->pieces[i].copy || !q->pieces[i].mds)
            return ENOMEM;
    }
    return 0;
}

/* Signals are the business of the program's own threads. But what a thread's
 * own instruction raises kills the program when it is blocked, handler or not,
 * and the bytes may be in a file that is mapped. */
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
        err = pthread_create(&q->threads[q->thread_count], NULL, worker, q);
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
    size_t blocks = PIECE_SIZE / block_size;
    int err;

    if (!q)
        return ENOMEM;
    if (blocks == 0)
        blocks = 1;
    if (blocks > PIECE_BLOCKS)
        blocks = PIECE_BLOCKS;

    q->leaf = leaf;
    q->root = root;
    q->block_size = block_size;
    q->md_size = blkhash_leaf_md_size(leaf);
    q->piece_size = blocks * block_size;
    q->depth = depth;
    q->completion_fd = -1;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->work, NULL);
    pthread_cond_init(&q->changed, NULL);

    err = allocate(q);
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

    if (q->completion_fd >= 0)
        close(q->completion_fd);
    for (unsigned i = 0; q->pieces && i < q->depth; i++) {
        free(q->pieces[i].copy);
        free(q->pieces[i].mds);
    }
    free(q->pieces);
    free(q->updates);
    free(q->free_updates);
    free(q->completions);
    free(q->threads);
    pthread_cond_destroy(&q->changed);
    pthread_cond_destroy(&q->work);
    pthread_mutex_destroy(&q->lock);
    free(q);
}
