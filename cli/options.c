/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "blkhash.h"
#include "cli/message.h"
#include "common/units.h"

enum {
    OPT_QUEUE_DEPTH = 256,
    OPT_READ_SIZE,
    OPT_BLOCK_SIZE,
    OPT_LIST_DIGESTS,
    OPT_STANDALONE,
};

static const char short_options[] = "f:l:T:pt:d:a:vVh";

static const struct option long_options[] = {
    { "format", required_argument, NULL, 'f' },
    { "snapshot", required_argument, NULL, 'l' },
    { "source-cache", required_argument, NULL, 'T' },
    { "progress", no_argument, NULL, 'p' },
    { "threads", required_argument, NULL, 't' },
    { "digest", required_argument, NULL, 'd' },
    { "algorithm", required_argument, NULL, 'a' },
    { "queue-depth", required_argument, NULL, OPT_QUEUE_DEPTH },
    { "read-size", required_argument, NULL, OPT_READ_SIZE },
    { "block-size", required_argument, NULL, OPT_BLOCK_SIZE },
    { "list-digests", no_argument, NULL, OPT_LIST_DIGESTS },
    { "standalone", no_argument, NULL, OPT_STANDALONE },
    { "verbose", no_argument, NULL, 'v' },
    { "version", no_argument, NULL, 'V' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static const char help[] =
    "Usage: disksum [OPTION]... [IMAGE]...\n"
    "Print a checksum of what a guest sees on a disk: the same for the same\n"
    "content, whatever the format and the holes. With no IMAGE, or when IMAGE is -,\n"
    "read a raw image from standard input.\n"
    "\n"
    "  -d, --digest=NAME         digest of the blocks (default: sha256)\n"
    "      --block-size=SIZE     bytes in a block (default: 64k)\n"
    "      --list-digests        list the digests that can be used\n"
    "  -f, --format=FMT          format of IMAGE: raw or qcow2 (default: probe)\n"
    "  -l, --snapshot=SNAPSHOT   an internal snapshot, by its id or name\n"
    "      --standalone          refuse an image that refers to any other file\n"
    "  -T, --source-cache=MODE   none and directsync: read past the page cache;\n"
    "                            writeback (default), writethrough, unsafe:\n"
    "                            through it\n"
    "  -p, --progress            show progress, also when stderr is no terminal\n"
    "  -v, --verbose             say what was done, and how fast\n"
    "  -h, --help                print this, and exit\n"
    "  -V, --version             print the version, and exit\n"
    "\n"
    "These never change the checksum:\n"
    "  -t, --threads=N           threads that read and hash (default: one a CPU)\n"
    "      --queue-depth=N       reads in flight for each of them (default: 8)\n"
    "      --read-size=SIZE      bytes of a read (default: 1M)\n"
    "\n"
    "The checksum is a digest of block digests. It is not the sha256sum of the\n"
    "bytes, and can not be compared with one.\n"
    "\n"
    "Exit status: 0; 1 if an image could not be read; 2 for wrong usage.\n"
    "Manual: man disksum\n";

static bool parse_cache(const char *text, enum cache_mode *cache)
{
    static const struct {
        const char *name;
        enum cache_mode cache;
    } modes[] = {
        { "none", CACHE_DIRECT },        { "directsync", CACHE_DIRECT },
        { "writeback", CACHE_BUFFERED }, { "writethrough", CACHE_BUFFERED },
        { "unsafe", CACHE_BUFFERED },
    };

    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        if (strcmp(text, modes[i].name) == 0) {
            *cache = modes[i].cache;
            return true;
        }
    }
    usage_message("invalid cache mode '%s'", text);
    return false;
}

static bool parse_number(const char *what, const char *text, uint64_t min,
                         uint64_t max, uint64_t *number)
{
    if (parse_size(text, number) == 0 && *number >= min && *number <= max)
        return true;
    usage_message("invalid %s '%s': must be %" PRIu64 " to %" PRIu64, what,
                  text, min, max);
    return false;
}

/* Blocks are whole sectors, as disks are. */
static bool parse_block_size(const char *text, size_t *size)
{
    uint64_t number;

    if (!parse_number("block size", text, SECTOR_SIZE, BLKHASH_MAX_BLOCK_SIZE,
                      &number))
        return false;
    if (number % SECTOR_SIZE) {
        usage_message("invalid block size '%s': must be a multiple of %d", text,
                      SECTOR_SIZE);
        return false;
    }
    *size = number;
    return true;
}

static bool list_digests(void)
{
    const char *const *names = blkhash_digests();

    if (!names) {
        message("can not list the digests: %s", strerror(errno));
        return false;
    }
    while (*names)
        puts(*names++);
    return true;
}

/* A digest that is not there is found before the first image is opened. */
static bool check_digest(const struct engine_options *engine)
{
    struct blkhash_root *root =
        blkhash_root_new(engine->block_size, engine->digest);

    if (!root && errno == ENOTSUP)
        usage_message("unknown digest '%s'; --list-digests prints those known",
                      engine->digest);
    else if (!root)
        message("digest '%s': %s", engine->digest, strerror(errno));
    blkhash_root_free(root);
    return root != NULL;
}

static enum options_result parse_one(struct options *o, int option,
                                     const char *arg)
{
    uint64_t number = 0;
    bool ok = true;

    switch (option) {
    case 'f':
        o->image.format = arg;
        break;
    case 'l':
        o->image.snapshot = arg;
        break;
    case 'T':
        ok = parse_cache(arg, &o->image.cache);
        break;
    case 'p':
        o->progress = true;
        break;
    case 't':
        ok = parse_number("number of threads", arg, 1, ENGINE_MAX_THREADS,
                          &number);
        o->engine.threads = number;
        break;
    case 'd':
    case 'a':
        o->engine.digest = arg;
        break;
    case OPT_QUEUE_DEPTH:
        ok = parse_number("queue depth", arg, 1, ENGINE_MAX_QUEUE_DEPTH,
                          &number);
        o->engine.queue_depth = number;
        break;
    case OPT_READ_SIZE:
        ok = parse_number("read size", arg, ENGINE_MIN_READ_SIZE,
                          ENGINE_MAX_READ_SIZE, &number);
        o->engine.read_size = number;
        break;
    case OPT_BLOCK_SIZE:
        ok = parse_block_size(arg, &o->engine.block_size);
        break;
    case OPT_LIST_DIGESTS:
        return list_digests() ? OPTIONS_DONE : OPTIONS_BAD;
    case OPT_STANDALONE:
        o->image.standalone = true;
        break;
    case 'v':
        o->verbose = true;
        break;
    case 'V':
        puts(PROGRAM " " VERSION);
        return OPTIONS_DONE;
    case 'h':
        fputs(help, stdout);
        return OPTIONS_DONE;
    default:
        /* getopt_long() has said what is wrong. */
        fputs("Try '" PROGRAM " --help' for more information.\n", stderr);
        return OPTIONS_BAD;
    }
    return ok ? OPTIONS_RUN : OPTIONS_BAD;
}

enum options_result options_parse(struct options *o, int argc, char **argv)
{
    int option;

    memset(o, 0, sizeof(*o));
    engine_default_options(&o->engine);
    while ((option = getopt_long(argc, argv, short_options, long_options,
                                 NULL)) != -1) {
        enum options_result result = parse_one(o, option, optarg);

        if (result != OPTIONS_RUN)
            return result;
    }
    o->images = argv + optind;
    o->image_count = argc - optind;
    return check_digest(&o->engine) ? OPTIONS_RUN : OPTIONS_BAD;
}
