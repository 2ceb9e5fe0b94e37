/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a command line: words that end with NUL. What is accepted is
 * within the limits of those who get it.
 */
#include "fuzz.h"

#include <getopt.h>
#include <string.h>

#include "cli/options.h"

#define MAX_WORDS 64

static void check(const struct options *o, int argc)
{
    const struct engine_options *e = &o->engine;

    require(o->image_count >= 0 && o->image_count < argc);
    require(o->image.object_count < (size_t)argc);
    require(e->hash_count >= 1 && e->hash_count <= ENGINE_MAX_HASHES);
    require(e->threads <= ENGINE_MAX_THREADS);
    require(e->queue_depth <= ENGINE_MAX_QUEUE_DEPTH);
    require(e->read_size >= ENGINE_MIN_READ_SIZE &&
            e->read_size <= ENGINE_MAX_READ_SIZE);
    require(e->read_size % ENGINE_MIN_READ_SIZE == 0);
    require(o->nbd.connections >= 1 &&
            o->nbd.connections <= NBD_MAX_CONNECTIONS);
    require(o->digest_list.shard.index <= o->digest_list.shard.count);
    require(!o->digest_list.shard.count || o->digest_list.shard.index > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char program[] = "disksum", *argv[MAX_WORDS + 2] = { program };
    char *text = malloc(size + 1);
    struct options o;
    int argc = 1;

    require(text);
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *word = text; word < text + size && argc <= MAX_WORDS;
         word += strlen(word) + 1)
        argv[argc++] = word;
    argv[argc] = NULL;
    optind = 0; /* getopt_long() starts anew */
    if (options_parse(&o, argc, argv) == OPTIONS_RUN)
        check(&o, argc);
    options_free(&o);
    free(text);
    return 0;
}
