/*
 * The checksum of what a guest sees on a disk: <blkhash.h> defines it
 *
 * A fixed number of coroutines take chunks of the disk, in order. Each reads
 * its chunk, has it hashed by the thread pool, and waits until the chunks
 * before are committed; then it commits its own and takes another. So the
 * memory is bounded, reads and digests overlap, and an error is reported only
 * when everything before it could be read: it is the first one on the disk,
 * whichever request failed first.
 *
 * Where the disk reads as zeros nothing is read. Such a chunk has whole blocks
 * and can be large, as the digest of a block of zeros is known.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "qemu/osdep.h"
#if QEMU_VERSION_MAJOR >= 10
#include "system/block-backend.h"
#else
#include "sysemu/block-backend.h"
#endif
#include "block/block_int.h"
#include "block/thread-pool.h"
#include "qemu/coroutine.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/memalign.h"
#include "qemu/qemu-progress.h"
#include "qemu/units.h"
#include "qemu-img-checksum-disk.h"

#define CHUNK_SIZE      (1 * MiB)
#define MAX_ZEROES      (16 * GiB)
#define NUM_WORKERS     16

#define MAX_BLOCKS      (CHUNK_SIZE / CHECKSUM_BLOCK_SIZE)

QEMU_BUILD_BUG_ON(CHUNK_SIZE % CHECKSUM_BLOCK_SIZE);
QEMU_BUILD_BUG_ON(MAX_ZEROES % CHECKSUM_BLOCK_SIZE);

typedef struct Checksum Checksum;

typedef struct ChecksumWorker {
    Checksum *s;
    Coroutine *co;
    uint8_t *buf;

    /* The chunk */
    uint64_t ticket;
    int64_t offset;
    int64_t bytes;
    bool zero;
    int ret;            /* 0, or the -errno of a request for it */
    const char *what;   /* the request that failed */
    bool waiting;       /* for the chunks before it to be committed */
    unsigned char digests[MAX_BLOCKS * BLKHASH_MAX_MD_SIZE];
} ChecksumWorker;

struct Checksum {
    const ChecksumOptions *options;
    BlockBackend *blk;
    int64_t size;
    float shown;        /* of the progress: percent; below 0: nothing yet */
    struct blkhash_leaf *leaf;
    struct blkhash_root *root;

    CoMutex lock;       /* of the next three, and of block status */
    int64_t offset;     /* where the next chunk starts: a multiple of blocks */
    int64_t extent_end;
    bool extent_zero;
    bool stop;          /* take no more chunks */

    uint64_t taken;     /* tickets */
    uint64_t committed;
    int ret;            /* 0, or the -errno of the first chunk that failed */

    int running;
    int num_workers;
    ChecksumWorker workers[NUM_WORKERS];
};

/*
 * Get the extent at @offset. Returns 0 or -errno. Called with s->lock held.
 */
static int coroutine_fn checksum_co_next_extent(Checksum *s, int64_t offset)
{
    int64_t count = 0;
    int ret;
#ifdef WITH_GRAPH_RDLOCK_GUARD
    GRAPH_RDLOCK_GUARD();
#endif
    ret = bdrv_block_status_above(blk_bs(s->blk), NULL, offset,
                                  s->size - offset, &count, NULL, NULL);
    if (ret < 0) {
        return ret;
    }
    /* Nothing is known of the last bytes of a disk that has no whole sectors */
    s->extent_end = count > 0 ? offset + count : s->size;
    s->extent_zero = count > 0 && (ret & BDRV_BLOCK_ZERO);
    return 0;
}

/* The number of bytes at @offset, in whole blocks, that the extent has. */
static int64_t checksum_whole_blocks(Checksum *s, int64_t offset)
{
    return QEMU_ALIGN_DOWN(MAX(s->extent_end - offset, 0), CHECKSUM_BLOCK_SIZE);
}

/*
 * Find the end of a chunk that is read: at most @end, and before the first
 * zeroes that make a whole block. Extents need not be aligned to blocks, so
 * some zeroes may be read. Called with s->lock held.
 */
static int coroutine_fn checksum_co_find_end(Checksum *s, int64_t *end)
{
    while (s->extent_end < *end) {
        int64_t block = ROUND_UP(s->extent_end, CHECKSUM_BLOCK_SIZE);
        int ret = checksum_co_next_extent(s, s->extent_end);

        /* What is before the fault is read first: that may fail, too. */
        if (ret < 0 && s->extent_end - s->offset >= CHECKSUM_BLOCK_SIZE) {
            *end = QEMU_ALIGN_DOWN(s->extent_end, CHECKSUM_BLOCK_SIZE);
            return 0;
        }
        if (ret < 0) {
            return ret;
        }
        if (block < *end && s->extent_zero && checksum_whole_blocks(s, block)) {
            *end = block;
        }
    }
    return 0;
}

/* Take the next chunk. Called with s->lock held. */
static void coroutine_fn checksum_co_take_chunk(ChecksumWorker *w)
{
    Checksum *s = w->s;
    int64_t end = MIN(s->offset + CHUNK_SIZE, s->size);

    w->ticket = s->taken++;
    w->offset = s->offset;
    w->ret = 0;
    w->zero = false;
    while (w->ret == 0 && s->extent_end <= s->offset) {
        w->ret = checksum_co_next_extent(s, MAX(s->extent_end, s->offset));
    }
    if (w->ret == 0 && s->extent_zero && checksum_whole_blocks(s, s->offset)) {
        end = s->offset + MIN(checksum_whole_blocks(s, s->offset), MAX_ZEROES);
        w->zero = true;
    } else if (w->ret == 0) {
        w->ret = checksum_co_find_end(s, &end);
    }
    if (w->ret < 0) {
        w->what = "getting block status";
        w->offset = MAX(s->extent_end, s->offset);
        s->stop = true;
    }
    w->bytes = end - s->offset;
    s->offset = end;
}

/* In a thread of the pool. Returns 0 or -errno. */
static int checksum_hash(void *opaque)
{
    ChecksumWorker *w = opaque;

    return -blkhash_leaf_hash(w->s->leaf, w->buf, w->bytes, w->digests, NULL);
}

static int coroutine_fn checksum_co_hash(ChecksumWorker *w)
{
    if (w->s->options->serial) {
        return checksum_hash(w);
    }
#if QEMU_VERSION_MAJOR > 8 || \
    (QEMU_VERSION_MAJOR == 8 && QEMU_VERSION_MINOR >= 1)
    return thread_pool_submit_co(checksum_hash, w);
#else
    return thread_pool_submit_co(aio_get_thread_pool(qemu_get_aio_context()),
                                 checksum_hash, w);
#endif
}

static void coroutine_fn checksum_co_read(ChecksumWorker *w)
{
    Checksum *s = w->s;

    w->what = "reading";
    w->ret = blk_co_pread(s->blk, w->offset, w->bytes, w->buf, 0);
    if (w->ret < 0) {
        return;
    }
    /*
     * Most data is found to be no zeroes in its first bytes, and zeroes are
     * found faster here than by a thread that has to be woken.
     */
    if (!s->options->serial && w->bytes % CHECKSUM_BLOCK_SIZE == 0 &&
        buffer_is_zero(w->buf, w->bytes)) {
        w->zero = true;
        return;
    }
    w->what = "hashing";
    w->ret = checksum_co_hash(w);
}

/*
 * Progress is shown on stderr: stdout is for the checksum. What
 * qemu_progress_print() is told here it prints on SIGUSR1.
 */
static void checksum_progress(Checksum *s, int64_t done)
{
    float percent = s->size ? 100.0 * done / s->size : s->shown < 0 ? 0 : 100;

    qemu_progress_print(percent, 0);
    if (s->options->progress && (percent >= s->shown + 1 || percent == 100)) {
        fprintf(stderr, "    (%3.2f/100%%)\r", percent);
        s->shown = percent;
    }
}

static void checksum_commit(ChecksumWorker *w)
{
    Checksum *s = w->s;

    if (w->ret == 0 && w->zero) {
        w->what = "hashing";
        w->ret = -blkhash_root_zero(s->root, w->bytes / CHECKSUM_BLOCK_SIZE);
    } else if (w->ret == 0) {
        w->ret = -blkhash_root_digests(s->root, w->digests,
                                       DIV_ROUND_UP(w->bytes,
                                                    CHECKSUM_BLOCK_SIZE));
    }
    if (w->ret < 0) {
        error_report("Error while %s at offset %" PRId64 " of '%s': %s",
                     w->what, w->offset, s->options->filename,
                     strerror(-w->ret));
        s->ret = w->ret;
        s->stop = true;
        return;
    }
    checksum_progress(s, w->offset + w->bytes);
}

/* Wake the worker that has the next chunk; all of them after an error. */
static void coroutine_fn checksum_co_wake(Checksum *s)
{
    for (int i = 0; i < s->num_workers; i++) {
        ChecksumWorker *w = &s->workers[i];

        if (w->waiting && (s->ret < 0 || w->ticket == s->committed)) {
            w->waiting = false;
            aio_co_wake(w->co);
        }
    }
}

/* Commit the chunk after those before it. Not after one of them failed. */
static void coroutine_fn checksum_co_commit_in_order(ChecksumWorker *w)
{
    Checksum *s = w->s;

    if (s->ret == 0 && s->committed != w->ticket) {
        w->waiting = true;
        qemu_coroutine_yield();
    }
    if (s->ret == 0) {
        assert(s->committed == w->ticket);
        checksum_commit(w);
        s->committed++;
        checksum_co_wake(s);
    }
}

static void coroutine_fn checksum_co_entry(void *opaque)
{
    ChecksumWorker *w = opaque;
    Checksum *s = w->s;

    for (;;) {
        bool done;

        qemu_co_mutex_lock(&s->lock);
        done = s->stop || s->offset == s->size;
        if (!done) {
            checksum_co_take_chunk(w);
        }
        qemu_co_mutex_unlock(&s->lock);
        if (done) {
            break;
        }
        if (w->ret == 0 && !w->zero) {
            checksum_co_read(w);
        }
        checksum_co_commit_in_order(w);
    }
    s->running--;
}

/* Hash the disk. Returns 0, or -errno after it reported the error. */
static int checksum_run(Checksum *s)
{
    s->num_workers = s->options->serial ? 1 : NUM_WORKERS;
    s->running = s->num_workers;
    qemu_co_mutex_init(&s->lock);
    for (int i = 0; i < s->num_workers; i++) {
        ChecksumWorker *w = &s->workers[i];

        w->s = s;
        w->buf = blk_blockalign(s->blk, CHUNK_SIZE);
        w->co = qemu_coroutine_create(checksum_co_entry, w);
    }
    for (int i = 0; i < s->num_workers; i++) {
        qemu_coroutine_enter(s->workers[i].co);
    }
    while (s->running) {
        main_loop_wait(false);
    }
    for (int i = 0; i < s->num_workers; i++) {
        qemu_vfree(s->workers[i].buf);
    }
    return s->ret;
}

/* Hash the disk, whose size is known. Returns as checksum_disk() does. */
static int checksum_all(Checksum *s, ChecksumResult *result)
{
    const char *digest = s->options->digest;
    int ret;

    s->leaf = blkhash_leaf_new(CHECKSUM_BLOCK_SIZE, digest);
    if (s->leaf && !blkhash_leaf_md_size(s->leaf)) {
        error_report("Digest '%s' computes nothing", digest);
        ret = -EINVAL;
        goto out;
    }
    s->root = s->leaf ? blkhash_root_new(CHECKSUM_BLOCK_SIZE, digest) : NULL;
    if (!s->root) {
        ret = -errno;
        if (ret == -ENOTSUP) {
            error_report("Unknown digest '%s'", digest);
        } else {
            error_report("Can't use digest '%s': %s", digest, strerror(-ret));
        }
        goto out;
    }
    checksum_progress(s, 0);
    ret = checksum_run(s);
    if (ret == 0) {
        ret = -blkhash_root_final(s->root, s->size, result->md,
                                  &result->md_len);
        if (ret < 0) {
            error_report("Can't hash '%s': %s", s->options->filename,
                         strerror(-ret));
        }
    }
    if (ret == 0 && s->size == 0) {
        checksum_progress(s, 0); /* there was no chunk */
    }
out:
    blkhash_root_free(s->root);
    blkhash_leaf_free(s->leaf);
    return ret;
}

int checksum_disk(BlockBackend *blk, const ChecksumOptions *options,
                  ChecksumResult *result)
{
    g_autofree Checksum *s = g_new0(Checksum, 1);

    s->options = options;
    s->blk = blk;
    s->shown = -1;
    s->size = blk_getlength(blk);
    if (s->size < 0) {
        error_report("Can't get size of '%s': %s", options->filename,
                     strerror(-s->size));
        return s->size;
    }
    result->size = s->size;
    return checksum_all(s, result);
}
