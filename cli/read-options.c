/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How images are read. None of these changes a checksum.
 */
#include "cli/option-value.h"
#include "cli/option.h"
#include "cli/options.h"
#include "common/array.h"

/* A day, in seconds. */
#define MAX_TIMEOUT 86400

#define MAX_QUEUE_SIZE (ENGINE_MAX_QUEUE_DEPTH * ENGINE_MAX_READ_SIZE)

/* Cache modes of qemu-img. The first ones are direct. */
static const char *const cache_modes[] = {
    "none", "off", "directsync", "writeback", "writethrough", "unsafe", NULL
};
#define DIRECT_MODES 3

static const char *const read_sizes[] = { "64k", "256k", "1M", "4M",
                                          "16M", "64M",  NULL };

static enum options_result set_cache(struct options *o, char *argument)
{
    unsigned mode = 0;
    enum options_result result =
        option_word("cache mode", argument, cache_modes, &mode);

    o->image.files.cache = mode < DIRECT_MODES ? CACHE_DIRECT : CACHE_BUFFERED;
    return result;
}

static enum options_result set_buffered(struct options *o, char *argument)
{
    (void)argument;
    o->image.files.cache = CACHE_BUFFERED;
    return OPTIONS_RUN;
}

static enum options_result set_threads(struct options *o, char *argument)
{
    return option_number("number of threads", argument, 1, ENGINE_MAX_THREADS,
                         &o->engine.threads);
}

static enum options_result set_queue_depth(struct options *o, char *argument)
{
    o->queue_size = 0;
    return option_number("queue depth", argument, 1, ENGINE_MAX_QUEUE_DEPTH,
                         &o->engine.queue_depth);
}

/* blksum had this before --queue-depth: the bytes that a thread has in flight.
 */
static enum options_result set_queue_size(struct options *o, char *argument)
{
    return option_size("queue size", argument, 1, MAX_QUEUE_SIZE,
                       &o->queue_size);
}

static enum options_result set_read_size(struct options *o, char *argument)
{
    uint64_t size = 0;
    enum options_result result =
        option_size("read size", argument, ENGINE_MIN_READ_SIZE,
                    ENGINE_MAX_READ_SIZE, &size);

    o->engine.read_size = size;
    return result;
}

static enum options_result set_connections(struct options *o, char *argument)
{
    return option_number("number of connections", argument, 1,
                         NBD_MAX_CONNECTIONS, &o->nbd.connections);
}

static enum options_result set_timeout(struct options *o, char *argument)
{
    return option_number("timeout", argument, 0, MAX_TIMEOUT, &o->nbd.timeout);
}

static const struct option_info options[] = {
    {
        .name = "source-cache",
        .letter = 'T',
        .argument = "MODE",
        .kind = "words",
        .words = cache_modes,
        .brief = "none: direct I/O",
        .help = "cache mode; none is direct I/O",
        .set = set_cache,
    },
    {
        .name = "cache",
        .blksum_letter = 'c',
        .brief = "-T writeback",
        .help = "read through the page cache",
        .set = set_buffered,
    },
    {
        .name = "force-share",
        .letter = 'U',
        .brief = "even when in use",
        .help = "read an image that another process has open for writing",
        .flag = offsetof(struct options, image.files.force_share),
    },
    {
        .name = "no-extents",
        .help = "read holes too; warn if one has data",
        .flag = offsetof(struct options, image.no_extents),
    },
    {
        .name = "threads",
        .letter = 't',
        .argument = "N",
        .kind = "words",
        .brief = "one for each CPU",
        .help = "threads that read and hash",
        .set = set_threads,
    },
    {
        .name = "queue-depth",
        .argument = "N",
        .kind = "words",
        .help = "reads in flight for each thread",
        .set = set_queue_depth,
    },
    {
        .name = "queue-size",
        .argument = "SIZE",
        .blksum_only = true,
        .set = set_queue_size,
    },
    {
        .name = "read-size",
        .argument = "SIZE",
        .kind = "words",
        .words = read_sizes,
        .help = "size of a read",
        .set = set_read_size,
    },
    {
        .name = "connections",
        .argument = "N",
        .kind = "words",
        .help = "connections to an NBD server",
        .set = set_connections,
    },
    {
        .name = "timeout",
        .argument = "SECONDS",
        .kind = "words",
        .help = "give up on an NBD server that stays silent for so long",
        .set = set_timeout,
    },
};

const struct option_group read_options = {
    .title = "How it is read",
    .options = options,
    .count = ARRAY_SIZE(options),
};
