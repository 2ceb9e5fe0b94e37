/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/options.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* One thread feeds a stream. It cannot keep more than a few hashing threads
 * busy. */
#define DEFAULT_MAX_THREADS 4

#define DEFAULT_QUEUE_DEPTH 16
#define DEFAULT_DEPTH_PER_THREAD 4

struct blkhash_options *blkhash_options_new(const char *digest_name)
{
    struct blkhash_options *o;

    if (!digest_name) {
        errno = EINVAL;
        return NULL;
    }
    o = calloc(1, sizeof(*o));
    if (!o)
        return NULL;
    o->digest_name = strdup(digest_name);
    if (!o->digest_name) {
        free(o);
        return NULL;
    }
    o->block_size = BLKHASH_DEFAULT_BLOCK_SIZE;
    return o;
}

int blkhash_options_set_block_size(struct blkhash_options *o, size_t size)
{
    if (!o || size == 0 || size > BLKHASH_MAX_BLOCK_SIZE)
        return EINVAL;
    o->block_size = size;
    return 0;
}

int blkhash_options_set_threads(struct blkhash_options *o, unsigned threads)
{
    if (!o || threads == 0 || threads > BLKHASH_MAX_THREADS)
        return EINVAL;
    o->threads = threads;
    return 0;
}

int blkhash_options_set_queue_depth(struct blkhash_options *o, unsigned depth)
{
    if (!o || depth == 0 || depth > BLKHASH_MAX_QUEUE_DEPTH)
        return EINVAL;
    o->queue_depth = depth;
    return 0;
}

void blkhash_options_free(struct blkhash_options *o)
{
    if (!o)
        return;
    free(o->digest_name);
    free(o);
}

static unsigned default_threads(void)
{
    cpu_set_t cpus;
    unsigned count = 1;

    /* Fails on a machine with more than 1,024 CPUs. */
    if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
        return DEFAULT_MAX_THREADS;
    count = CPU_COUNT(&cpus);
    return count < DEFAULT_MAX_THREADS ? count : DEFAULT_MAX_THREADS;
}

unsigned options_threads(const struct blkhash_options *o)
{
    return o->threads ? o->threads : default_threads();
}

unsigned options_queue_depth(const struct blkhash_options *o)
{
    unsigned depth = DEFAULT_DEPTH_PER_THREAD * options_threads(o);

    if (o->queue_depth)
        return o->queue_depth;
    return depth > DEFAULT_QUEUE_DEPTH ? depth : DEFAULT_QUEUE_DEPTH;
}
