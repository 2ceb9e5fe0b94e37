/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

#include "cli/check-options.h"
#include "cli/digests.h"
#include "cli/expect.h"
#include "cli/list-options.h"
#include "cli/message.h"
#include "cli/null-digest.h"
#include "cli/operands.h"
#include "cli/option-error.h"
#include "cli/option-table.h"
#include "cli/option-value.h"
#include "cli/part-options.h"
#include "common/array.h"
#include "qemu/tls-object.h"

static bool is_blksum(const char *program)
{
    const char *slash = program ? strrchr(program, '/') : NULL;

    return program && strcmp(slash ? slash + 1 : program, "blksum") == 0;
}

static enum options_result set_option(struct options *o,
                                      const struct option_info *info,
                                      char *argument)
{
    if (info->check_only)
        o->list.check_only = info->name;
    if (info->image_only)
        o->image_only = info->name;
    if (info->hash_only)
        o->hash_only = info->name;
    if (info->set)
        return info->set(o, argument);
    *(bool *)((char *)o + info->flag) = true;
    return OPTIONS_RUN;
}

static enum options_result parse_all(struct options *o, int argc, char **argv)
{
    enum options_result result = OPTIONS_RUN;
    struct option_names names = { .letters = "" };

    option_names_make(&names, o->blksum);
    opterr = 0;
    while (result == OPTIONS_RUN) {
        int first = optind;
        int option = getopt_long(argc, argv, names.letters, names.names, NULL);

        if (option == -1)
            break;
        if (option == '?' || option == ':') {
            option_error(option, argv, first, o->blksum, names.names);
            return OPTIONS_BAD;
        }
        result = set_option(o, option_find(option, o->blksum), optarg);
    }
    return result;
}

/* The reads of a thread that a queue has room for. */
static void fit_queue(struct options *o)
{
    uint64_t depth = o->queue_size / o->engine.read_size;

    if (!o->queue_size)
        return;
    o->engine.queue_depth = depth < 1 ? 1
                            : depth > ENGINE_MAX_QUEUE_DEPTH
                                ? ENGINE_MAX_QUEUE_DEPTH
                                : depth;
}

/* An unknown word would force nothing, and a measurement would not be what it
 * says. */
static bool reads_verify(const char *forced)
{
    static const char *const ways[] = { "ring", "threads", "mmap", "copy" };

    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        if (!forced || !*forced || strcmp(forced, ways[i]) == 0)
            return true;
    }
    message("DISKSUM_READS: no way to read '%s'; there are ring, threads, mmap "
            "and copy",
            forced);
    return false;
}

/* Check the options against each other, and against what the library has. */
static enum options_result check_all(struct options *o)
{
    enum options_result result = digests_choose(o);

    if (result != OPTIONS_RUN)
        return result;
    if (o->image.standalone && o->image.trust_names) {
        usage_message("the --standalone and --trust-names options are mutually "
                      "exclusive");
        return OPTIONS_BAD;
    }
    if (o->image.image_opts && o->image.format) {
        usage_message("the --image-opts and --format options are mutually "
                      "exclusive");
        return OPTIONS_BAD;
    }
    if (o->command && o->image.image_opts) {
        usage_message("--image-opts takes option strings, not a command");
        return OPTIONS_BAD;
    }
    if (!null_digest_verify(o) || !check_options_verify(&o->list) ||
        !list_options_verify(o) || !part_options_verify(o))
        return OPTIONS_BAD;
    if (!reads_verify(getenv("DISKSUM_READS")))
        return OPTIONS_FAILED;
    result = expect_verify(o);
    if (result != OPTIONS_RUN)
        return result;
    /* Without tags, nobody could tell which line is which. */
    if (o->engine.hash_count > 1 && !o->list.json)
        o->list.tag = true;
    return OPTIONS_RUN;
}

/* Whether --diff is given, as far as that can be seen before options are
 * parsed: its exit status 1 is not that of an error. */
static bool asks_for_diff(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--dif", strlen("--dif")) == 0)
            return true;
    }
    return false;
}

enum options_result options_parse(struct options *o, int argc, char **argv)
{
    enum options_result result;
    bool command;

    memset(o, 0, sizeof(*o));
    o->blksum = is_blksum(argv[0]);
    engine_default_options(&o->engine);
    o->nbd.connections = NBD_DEFAULT_CONNECTIONS;
    o->nbd.timeout = NBD_DEFAULT_TIMEOUT;
    if (o->blksum)
        o->image.files.cache = CACHE_DIRECT_OR_BUFFERED;
    if (!operands_skip_subcommand(&argc, &argv))
        return OPTIONS_BAD;
    o->objects = calloc(argc, sizeof(*o->objects));
    o->digests.choices = calloc(argc, sizeof(*o->digests.choices));
    if (!o->objects || !o->digests.choices) {
        o->digest_list.diff = asks_for_diff(argc, argv);
        return option_no_memory();
    }
    o->image.objects = o->objects;
    command = operands_have_command(argc, argv);
    result = parse_all(o, argc, argv);
    if (result != OPTIONS_RUN)
        return result;
    if (tls_objects_parse(o->objects, o->image.object_count, &o->nbd))
        return option_no_memory();
    fit_queue(o);
    o->progress.never = o->list.verbosity == VERBOSITY_QUIET;
    result = operands_parse(o, argc, argv, optind, command);
    return result == OPTIONS_RUN ? check_all(o) : result;
}

void options_free(struct options *o)
{
    free(o->command_name);
    free(o->objects);
    free(o->digests.choices);
    tls_objects_free(&o->nbd);
}
