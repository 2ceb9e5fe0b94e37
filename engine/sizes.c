/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/sizes.h"

#include <assert.h>

#include "engine/hashes.h"
#include "engine/job.h"

/* For direct I/O: see reader/pread.h. */
#define SLOT_ALIGNMENT 4096

/* Bounds the memory for the digests of a slot where blocks are small: of a
 * hash, in a slot that is no larger than was asked. */
#define SLOT_MAX_BLOCKS 4096

/* Bounds the memory beyond what the options ask for, which is that of all
 * slots: for digests, for rounds of reads, for lists of them, and for larger
 * slots. */
#define EXTRA_MEMORY (128 * MiB)

/* The same with the smallest rounds of an image without compressed clusters. It
 * matters with more than 1,000 slots in flight. */
#define EXTRA_WITH_ROUNDS (192 * MiB)

/* A round of reads is best as large as the compressed bytes of a slot, which
 * may be twice the size of the slot. It need not be larger than this. */
#define PREFERRED_ROUND (4 * MiB)

/* The smallest round where nothing is compressed, for small pieces that are not
 * aligned. */
#define MIN_ROUND (64 * KiB)

/* The most that a slot counts for in the number of threads: larger ones often
 * end early, where their bytes are scattered. */
#define MAX_SLOT_FOR_THREADS MiB

/* The memory for known digests, which is taken from that for rounds of reads.
 * More than the most of them in a slot would not make it faster. */
#define KNOWN_MEMORY (16 * MiB)
#define MIN_KNOWN_BLOCKS 4
#define MAX_KNOWN_BLOCKS 8192

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* 0 where nothing is compressed. */
static size_t largest_cluster(const struct image *image)
{
    return image ? image->largest_cluster : 0;
}

/* Slots that end at a page can be read by direct I/O as they are. But do not
 * make them much larger for that, nor so small that a cluster does not fit. */
static size_t align_blocks(size_t blocks, size_t for_cluster,
                           const struct engine_options *o)
{
    size_t block_size = hashes_block_size(o);
    size_t low_bit = block_size & -block_size;
    size_t step = low_bit < SLOT_ALIGNMENT ? SLOT_ALIGNMENT / low_bit : 1;
    size_t aligned = blocks - blocks % step;

    if (blocks < step)
        return step * block_size <= 4 * o->read_size ? step : blocks;
    return aligned >= for_cluster ? aligned : aligned + step;
}

/* A compressed cluster fits in a slot, so it is decoded only once. No slot is
 * larger than the image: to get, clear and return memory takes longer than to
 * hash a small one. */
static size_t slot_blocks(const struct engine_options *o,
                          const struct image *image)
{
    size_t block_size = hashes_block_size(o);
    size_t most = SLOT_MAX_BLOCKS * hashes_smallest(o) / block_size;
    size_t blocks = min_size(o->read_size / block_size, most);
    size_t for_cluster = (largest_cluster(image) + block_size - 1) / block_size;

    blocks = max_size(blocks, max_size(for_cluster, 1));
    blocks = align_blocks(blocks, for_cluster, o);
    if (image && image->size / block_size < blocks)
        blocks = (image->size + block_size - 1) / block_size;
    return max_size(blocks, 1);
}

/* No more threads than slots: an image of one slot is done before a second
 * thread would begin. */
static unsigned thread_count(const struct engine_options *o,
                             const struct image *image, size_t slot_size)
{
    uint64_t slot = min_size(slot_size, MAX_SLOT_FOR_THREADS);
    uint64_t slots;

    if (!image)
        return o->threads;
    slots = (image->size + slot - 1) / slot;
    if (slots > o->threads)
        return o->threads;
    return slots ? slots : 1;
}

static size_t round_size(const struct sizes *s, const struct image *image)
{
    size_t preferred = min_size(2 * s->slot_size, PREFERRED_ROUND);
    uint64_t share =
        (EXTRA_MEMORY - KNOWN_MEMORY) / ((uint64_t)s->threads * s->queue_depth);
    size_t cluster = largest_cluster(image);

    if (cluster) /* limit_memory() makes the queue short enough */
        return max_size(preferred, job_min_round(cluster));
    return max_size(min_size(share, preferred), MIN_ROUND);
}

/* The size of a slot that the options ask for. */
static size_t asked_size(const struct engine_options *o)
{
    return max_size(o->read_size, hashes_block_size(o));
}

/* The memory that a job may need beyond a slot of the size that was asked for.
 * Most of it depends on the image. */
static uint64_t extra_memory(const struct sizes *s,
                             const struct engine_options *o,
                             const struct image *image)
{
    size_t asked = asked_size(o);
    uint64_t extra = job_list_size(hashes_block_size(o)) +
                     s->slot_blocks * hashes_block_memory(o);

    if (s->slot_size > asked)
        extra += s->slot_size - asked;
    if (largest_cluster(image))
        extra += round_size(s, image) + job_cluster_list_size(s->slot_size);
    return extra;
}

/* The depth of the queue with which all jobs need so much memory; 0: even one
 * job for each worker needs more. */
static uint64_t depth_for(uint64_t memory, uint64_t job, unsigned threads)
{
    return memory / (job * threads);
}

/* Large clusters, large blocks and many threads leave a shorter queue, and in
 * the end fewer threads. */
static void limit_memory(struct sizes *s, const struct engine_options *o,
                         const struct image *image)
{
    size_t cluster = largest_cluster(image);
    uint64_t extra = extra_memory(s, o, image);
    uint64_t asked = (uint64_t)s->threads * s->queue_depth * asked_size(o);
    uint64_t depth = depth_for(EXTRA_MEMORY, extra, s->threads);
    uint64_t threads;

    if (!cluster) {
        uint64_t most =
            depth_for(EXTRA_WITH_ROUNDS, extra + MIN_ROUND, s->threads);

        if (depth > most)
            depth = most;
    }
    if (depth >= s->queue_depth)
        return;
    s->queue_depth = depth ? depth : 1;
    /* To decode a part of a cluster, a worker needs room for all of it; and for
     * two of them where the map can only guess how long it is. */
    threads = (EXTRA_MEMORY + asked) / (asked_size(o) + extra + 3 * cluster);
    if (threads < s->threads)
        s->threads = threads ? threads : 1;
}

static size_t known_blocks(const struct sizes *s)
{
    size_t slots = (size_t)s->threads * s->queue_depth;
    size_t blocks = KNOWN_MEMORY / slots / BLKHASH_MAX_MD_SIZE;

    return max_size(min_size(blocks, MAX_KNOWN_BLOCKS), MIN_KNOWN_BLOCKS);
}

void sizes_choose(struct sizes *sizes, const struct engine_options *options,
                  const struct image *image)
{
    size_t blocks = slot_blocks(options, image);

    *sizes = (struct sizes){
        .slot_blocks = blocks,
        .slot_size = blocks * hashes_block_size(options),
        .queue_depth = options->queue_depth,
    };
    sizes->threads = thread_count(options, image, sizes->slot_size);
    limit_memory(sizes, options, image);
    sizes->round_size = round_size(sizes, image);
    sizes->known_blocks = known_blocks(sizes);
    assert(sizes->threads && sizes->queue_depth);
}

void sizes_choose_pair(struct sizes *sizes,
                       const struct engine_options *options,
                       const struct image *a, const struct image *b)
{
    const struct image image = {
        .size = a->size < b->size ? a->size : b->size,
        .largest_cluster = max_size(largest_cluster(a), largest_cluster(b)),
    };
    struct engine_options o = *options;

    /* Both sides of a pair together are as large as one job: that is what twice
     * as many threads need that read half as much. */
    o.threads *= 2;
    o.read_size = max_size(o.read_size / 2, SECTOR_SIZE);
    o.hashes[0].block_size = SECTOR_SIZE;
    o.hash_count = 1;
    sizes_choose(sizes, &o, &image);
    sizes->threads = max_size(sizes->threads / 2, 1);
}
