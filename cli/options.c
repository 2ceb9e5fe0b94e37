/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "blkhash.h"
#include "cli/help.h"
#include "cli/message.h"
#include "cli/option-error.h"
#include "cli/percent.h"
#include "cli/tls-object.h"
#include "common/array.h"
#include "common/units.h"

/* A day. */
#define MAX_TIMEOUT 86400

enum {
    OPT_QUEUE_DEPTH = 256,
    OPT_READ_SIZE,
    OPT_BLOCK_SIZE,
    OPT_LIST_DIGESTS,
    OPT_STANDALONE,
    OPT_TRUST_NAMES,
    OPT_MAX_SIZE,
    OPT_NO_EXTENTS,
    OPT_OBJECT,
    OPT_IMAGE_OPTS,
    OPT_CACHE,
    OPT_CONNECTIONS,
    OPT_TIMEOUT,
};

static const char short_options[] = ":f:l:T:Upt:d:a:cqwzvVh";

/* Called as blksum: -c and -l are what they are there. */
static const char blksum_letters[] = ":f:lT:Upt:d:a:cqwzvVh";

static const struct option long_options[] = {
    { "format", required_argument, NULL, 'f' },
    { "snapshot", required_argument, NULL, 'l' },
    { "source-cache", required_argument, NULL, 'T' },
    { "object", required_argument, NULL, OPT_OBJECT },
    { "image-opts", no_argument, NULL, OPT_IMAGE_OPTS },
    { "force-share", no_argument, NULL, 'U' },
    { "progress", optional_argument, NULL, 'p' },
    { "threads", required_argument, NULL, 't' },
    { "digest", required_argument, NULL, 'd' },
    { "algorithm", required_argument, NULL, 'a' },
    { "queue-depth", required_argument, NULL, OPT_QUEUE_DEPTH },
    { "read-size", required_argument, NULL, OPT_READ_SIZE },
    { "block-size", required_argument, NULL, OPT_BLOCK_SIZE },
    { "connections", required_argument, NULL, OPT_CONNECTIONS },
    { "timeout", required_argument, NULL, OPT_TIMEOUT },
    { "list-digests", no_argument, NULL, OPT_LIST_DIGESTS },
    { "standalone", no_argument, NULL, OPT_STANDALONE },
    { "trust-names", no_argument, NULL, OPT_TRUST_NAMES },
    { "max-size", required_argument, NULL, OPT_MAX_SIZE },
    { "no-extents", no_argument, NULL, OPT_NO_EXTENTS },
    { "cache", no_argument, NULL, OPT_CACHE },
    { "check", no_argument, NULL, 'c' },
    { "tag", no_argument, NULL, OPT_TAG },
    { "zero", no_argument, NULL, 'z' },
    { "json", no_argument, NULL, OPT_JSON },
    { "output", required_argument, NULL, OPT_OUTPUT },
    { "ignore-missing", no_argument, NULL, OPT_IGNORE_MISSING },
    { "quiet", no_argument, NULL, 'q' },
    { "status", no_argument, NULL, OPT_STATUS },
    { "strict", no_argument, NULL, OPT_STRICT },
    { "warn", no_argument, NULL, 'w' },
    { "verbose", no_argument, NULL, 'v' },
    { "version", no_argument, NULL, 'V' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static bool parse_cache(const char *text, enum cache_mode *cache)
{
    static const struct {
        const char *name;
        enum cache_mode cache;
    } modes[] = {
        { "none", CACHE_DIRECT },           { "off", CACHE_DIRECT },
        { "directsync", CACHE_DIRECT },     { "writeback", CACHE_BUFFERED },
        { "writethrough", CACHE_BUFFERED }, { "unsafe", CACHE_BUFFERED },
    };

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        if (strcmp(text, modes[i].name) == 0) {
            *cache = modes[i].cache;
            return true;
        }
    }
    usage_message("invalid cache mode '%s'", text);
    return false;
}

/* --progress, or --progress=FD. */
static bool parse_progress(const char *fd, struct progress_options *progress)
{
    progress->always = true;
    if (!fd)
        return true;
    progress->to_fd = percent_parse_fd(fd, &progress->fd);
    return progress->to_fd;
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

/* Whether the library has it. ENOTSUP in errno: it has not. */
static bool digest_exists(const char *name)
{
    struct blkhash_leaf *leaf =
        blkhash_leaf_new(BLKHASH_DEFAULT_BLOCK_SIZE, name);

    blkhash_leaf_free(leaf);
    return leaf != NULL;
}

/* "NAME/SIZE". Some names of OpenSSL's have a slash, too: "SHA2-512/256". */
static bool parse_digest(char *text, struct engine_options *engine)
{
    char *slash = strrchr(text, '/');

    engine->digest = text;
    if (!slash || digest_exists(text))
        return true;
    *slash = 0;
    return parse_block_size(slash + 1, &engine->block_size);
}

static enum options_result list_digests(void)
{
    const char *const *names = blkhash_digests();

    if (!names) {
        message("cannot list the digests: %s", strerror(errno));
        return OPTIONS_FAILED;
    }
    while (*names)
        puts(*names++);
    return OPTIONS_DONE;
}

static enum options_result out_of_memory(void)
{
    message("out of memory");
    return OPTIONS_FAILED;
}

/* Whether BLKHASH_SHA256 names a kernel that this machine does not have. */
static bool kernel_is_missing(const char *name)
{
    const char *const *kernels = blkhash_kernels();

    if (!name || !*name)
        return false;
    while (*kernels && strcmp(*kernels, name) != 0)
        kernels++;
    return !*kernels;
}

static void missing_kernel_message(const char *name)
{
    const char *const *kernels = blkhash_kernels();
    char list[256] = "";
    size_t len = 0;

    for (size_t i = 0; kernels[i] && len < sizeof(list); i++)
        len += snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "",
                        kernels[i]);
    message("BLKHASH_SHA256: no kernel '%s'; this machine has %s", name, list);
}

/* A digest that is not there is found before the first image is opened. */
static enum options_result check_digest(const struct engine_options *engine)
{
    const char *kernel = getenv("BLKHASH_SHA256");

    if (digest_exists(engine->digest))
        return OPTIONS_RUN;
    if (errno == ENOTSUP && !kernel_is_missing(kernel)) {
        usage_message("unknown digest '%s'; --list-digests prints those known",
                      engine->digest);
        return OPTIONS_BAD;
    }
    if (errno == ENOTSUP)
        missing_kernel_message(kernel);
    else
        message("digest '%s': %s", engine->digest, strerror(errno));
    return OPTIONS_FAILED;
}

static enum options_result parse_one(struct options *o, int option, char *arg)
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
        ok = parse_cache(arg, &o->image.files.cache);
        break;
    case 'U':
        o->image.files.force_share = true;
        break;
    case 'p':
        ok = parse_progress(arg, &o->progress);
        break;
    case 't':
        ok = parse_number("number of threads", arg, 1, ENGINE_MAX_THREADS,
                          &number);
        o->engine.threads = number;
        break;
    case 'd':
    case 'a':
        ok = parse_digest(arg, &o->engine);
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
    case OPT_CACHE:
        o->image.files.cache = CACHE_BUFFERED;
        break;
    case OPT_CONNECTIONS:
        ok = parse_number("number of connections", arg, 1, NBD_MAX_CONNECTIONS,
                          &number);
        o->nbd.connections = number;
        break;
    case OPT_TIMEOUT:
        ok = parse_number("timeout", arg, 0, MAX_TIMEOUT, &number);
        o->nbd.timeout = number;
        break;
    case OPT_LIST_DIGESTS:
        return list_digests();
    case OPT_OBJECT:
        o->objects[o->image.object_count++] = arg;
        break;
    case OPT_IMAGE_OPTS:
        o->image.image_opts = true;
        break;
    case OPT_STANDALONE:
        o->image.standalone = true;
        break;
    case OPT_TRUST_NAMES:
        o->image.trust_names = true;
        break;
    case OPT_MAX_SIZE:
        ok =
            parse_number("maximum size", arg, 1, INT64_MAX, &o->image.max_size);
        break;
    case OPT_NO_EXTENTS:
        o->image.no_extents = true;
        break;
    case 'v':
        o->verbose = true;
        break;
    case 'V':
        puts(PROGRAM " " VERSION);
        return OPTIONS_DONE;
    default:
        ok = list_option(&o->list, option, arg);
    }
    return ok ? OPTIONS_RUN : OPTIONS_BAD;
}

static bool is_blksum(const char *program)
{
    const char *slash = program ? strrchr(program, '/') : NULL;

    return program && strcmp(slash ? slash + 1 : program, "blksum") == 0;
}

/* What a letter means in blksum. */
static int blksum_option(int letter)
{
    switch (letter) {
    case 'c':
        return OPT_CACHE;
    case 'l':
        return OPT_LIST_DIGESTS;
    default:
        return letter;
    }
}

static enum options_result parse_all(struct options *o, int argc, char **argv,
                                     bool blksum)
{
    const char *letters = blksum ? blksum_letters : short_options;
    enum options_result result = OPTIONS_RUN;

    opterr = 0;
    while (result == OPTIONS_RUN) {
        int name = -1; /* of a long option */
        int option = getopt_long(argc, argv, letters, long_options, &name);

        if (option == -1)
            break;
        if (option == '?' || option == ':') {
            option_error(option, argv[optind - 1], long_options);
            return OPTIONS_BAD;
        }
        if (option == 'h') {
            help_print(blksum);
            return OPTIONS_DONE;
        }
        if (blksum && name == -1)
            option = blksum_option(option);
        result = parse_one(o, option, optarg);
    }
    return result;
}

/* "[ COMMAND ARG... ]", for messages. NULL when out of memory. */
static char *join(char **words, int count)
{
    size_t size = 1;
    char *text, *end;

    for (int i = 0; i < count; i++)
        size += strlen(words[i]) + 1;
    text = end = malloc(size);
    for (int i = 0; text && i < count; i++) {
        if (i)
            *end++ = ' ';
        end = stpcpy(end, words[i]);
    }
    return text;
}

/* A word that means something else may also be a file, which a shell put there
 * for "*". */
static bool is_file(const char *word)
{
    struct stat st;

    return lstat(word, &st) == 0;
}

/* What follows the options: images, or a command in brackets, mostly after
 * "--", without which it can have no options. */
static enum options_result parse_images(struct options *o, int argc,
                                        char **argv)
{
    int first = optind;
    int last = argc - 1;

    if (first == argc || strcmp(argv[first], "[") != 0 ||
        (strcmp(argv[first - 1], "--") != 0 &&
         (last == first || strcmp(argv[last], "]") != 0))) {
        o->images = argv + first;
        o->image_count = argc - first;
        return OPTIONS_RUN;
    }
    if (strcmp(argv[first - 1], "--") != 0 && is_file("[")) {
        usage_message("'[' is a file here, and begins a command; write ./[ for "
                      "the file, or -- before the command");
        return OPTIONS_BAD;
    }
    if (strcmp(argv[last], "]") != 0 || last - first < 2) {
        usage_message("a command has the form -- [ COMMAND ARG... ]");
        return OPTIONS_BAD;
    }
    o->command_name = join(argv + first, argc - first);
    if (!o->command_name)
        return out_of_memory();
    argv[last] = NULL;
    o->command = argv + first + 1;
    o->images = &o->command_name;
    o->image_count = 1;
    return OPTIONS_RUN;
}

/* "disksum checksum", in the place of "qemu-img checksum". False: nobody knows
 * whether a file is meant. */
static bool skip_subcommand(int *argc, char ***argv)
{
    char **words = *argv;

    if (*argc < 2 || strcmp(words[1], "checksum") != 0)
        return true;
    if (is_file(words[1])) {
        usage_message("'%s' is a file here, and a subcommand; write ./%s for "
                      "the file, or leave out the word",
                      words[1], words[1]);
        return false;
    }
    words[1] = words[0];
    *argv += 1;
    *argc -= 1;
    return true;
}

enum options_result options_parse(struct options *o, int argc, char **argv)
{
    bool blksum = is_blksum(argv[0]);
    enum options_result result;

    memset(o, 0, sizeof(*o));
    engine_default_options(&o->engine);
    o->nbd.connections = NBD_DEFAULT_CONNECTIONS;
    o->nbd.timeout = NBD_DEFAULT_TIMEOUT;
    if (!skip_subcommand(&argc, &argv))
        return OPTIONS_BAD;
    o->objects = calloc(argc, sizeof(*o->objects));
    if (!o->objects)
        return out_of_memory();
    o->image.objects = o->objects;
    if (blksum)
        o->image.files.cache = CACHE_DIRECT_OR_BUFFERED;
    result = parse_all(o, argc, argv, blksum);
    if (result != OPTIONS_RUN)
        return result;
    if (tls_objects_parse(o->objects, o->image.object_count, &o->nbd))
        return out_of_memory();
    if (o->image.standalone && o->image.trust_names) {
        usage_message("the --standalone and --trust-names options are mutually "
                      "exclusive");
        return OPTIONS_BAD;
    }
    o->progress.never = o->list.quiet;
    result = parse_images(o, argc, argv);
    if (result != OPTIONS_RUN)
        return result;
    if (o->command && o->list.check) {
        usage_message("--check takes lists, not a command");
        return OPTIONS_BAD;
    }
    return list_options_check(&o->list) ? check_digest(&o->engine)
                                        : OPTIONS_BAD;
}

void options_free(struct options *o)
{
    free(o->command_name);
    free(o->objects);
    tls_objects_free(&o->nbd);
}
