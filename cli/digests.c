/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/digests.h"

#include "cli/digest-option.h"
#include "cli/expect.h"
#include "cli/message.h"
#include "cli/options.h"
#include "common/array.h"

/* Returns 0 or a positive errno value. */
static int has_hash(const struct engine_options *e, const char *digest,
                    size_t block_size, bool *has)
{
    int err = 0;

    *has = false;
    for (unsigned i = 0; i < e->hash_count && !err && !*has; i++) {
        if (e->hashes[i].block_size == block_size)
            err = digest_option_same(e->hashes[i].digest, digest, has);
    }
    return err;
}

/* What is there already counts once, by whatever name. Other programs read the
 * tag of a plain digest, so it has the usual name, and not that of the user. */
static enum options_result add(struct engine_options *e, const char *digest,
                               size_t block_size)
{
    enum options_result result = digest_option_check(digest);
    bool has;
    int err;

    if (result != OPTIONS_RUN)
        return result;
    err = has_hash(e, digest, block_size, &has);
    if (!err && has)
        return OPTIONS_RUN;
    if (!err && !block_size)
        err = digest_option_name(digest, &digest);
    if (err)
        return digest_option_failed(digest, err);
    if (e->hash_count == ENGINE_MAX_HASHES) {
        usage_message("more than %d digests", ENGINE_MAX_HASHES);
        return OPTIONS_BAD;
    }
    e->hashes[e->hash_count++] =
        (struct engine_hash){ .digest = digest, .block_size = block_size };
    return OPTIONS_RUN;
}

static bool has_choice(const struct digest_options *d, bool plain)
{
    for (unsigned i = 0; i < d->choice_count; i++) {
        if (d->choices[i].plain == plain)
            return true;
    }
    return false;
}

/* A list has the digests of blocks. */
static bool wants_default(const struct options *o)
{
    return !has_choice(&o->digests, false) &&
           (!has_choice(&o->digests, true) || o->digest_list.write);
}

static enum options_result add_choices(struct options *o, bool plain,
                                       size_t default_size)
{
    const struct digest_options *d = &o->digests;
    enum options_result result = OPTIONS_RUN;

    for (unsigned i = 0; i < d->choice_count && result == OPTIONS_RUN; i++) {
        const struct digest_choice *c = &d->choices[i];

        if (c->plain == plain)
            result = add(&o->engine, c->digest,
                         c->block_size ? c->block_size : default_size);
    }
    return result;
}

/* The first one is that of a list, so those of blocks come first. */
static enum options_result add_all(struct options *o)
{
    size_t size = o->digests.block_size ? o->digests.block_size
                                        : BLKHASH_DEFAULT_BLOCK_SIZE;
    enum options_result result = OPTIONS_RUN;

    o->engine.hash_count = 0;
    o->digests.list_only = wants_default(o) && has_choice(&o->digests, true);
    if (wants_default(o))
        result = add(&o->engine, BLKHASH_DEFAULT_DIGEST, size);
    if (result == OPTIONS_RUN)
        result = add_choices(o, false, size);
    if (result == OPTIONS_RUN)
        result = add_choices(o, true, 0);
    return result;
}

/* The engine divides the disk into the largest blocks, and these into the
 * others. */
static bool verify_sizes(const struct engine_options *e)
{
    for (unsigned i = 0; i < e->hash_count; i++) {
        for (unsigned k = 0; k < i; k++) {
            size_t a = e->hashes[i].block_size;
            size_t b = e->hashes[k].block_size;

            if (!a || !b || a % b == 0 || b % a == 0)
                continue;
            usage_message("block sizes %zu and %zu: one must be a multiple of "
                          "the other",
                          b, a);
            return false;
        }
    }
    return true;
}

/* The option with which not all bytes of a disk are read. NULL: none. */
static const char *partial_option(const struct digest_list_options *l)
{
    const struct {
        const char *name;
        bool given;
    } options[] = {
        { "--diff", l->diff },     { "--show", l->show },
        { "--merge", l->merge },   { "--base", l->base },
        { "--resume", l->resume }, { "--shard", l->shard.count },
    };

    for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
        if (options[i].given)
            return options[i].name;
    }
    return NULL;
}

/* Lines of a list that name no digest have the one of the options. */
static bool verify_several(const struct options *o)
{
    const char *option =
        o->list.check ? "--check" : partial_option(&o->digest_list);

    if (option)
        usage_message("with the %s option, there can be only one digest",
                      option);
    return !option;
}

static bool verify_plain(const struct options *o)
{
    const char *option = partial_option(&o->digest_list);

    if (option) {
        usage_message("the --plain and %s options are mutually exclusive",
                      option);
        return false;
    }
    if (o->digests.block_size && !o->engine.hashes[0].block_size) {
        usage_message("the --block-size option is meaningless without blocks, "
                      "as with --plain");
        return false;
    }
    return true;
}

enum options_result digests_choose(struct options *o)
{
    enum options_result result;

    expect_choose(o);
    result = add_all(o);
    if (result != OPTIONS_RUN)
        return result;
    if (has_choice(&o->digests, true) && !verify_plain(o))
        return OPTIONS_BAD;
    if (o->engine.hash_count > 1 && !verify_several(o))
        return OPTIONS_BAD;
    if (!verify_sizes(&o->engine))
        return OPTIONS_BAD;
    return OPTIONS_RUN;
}

const char *digests_output(const struct options *o)
{
    if (o->list.json)
        return "--json";
    if (o->expected.hex)
        return "--expect";
    return o->engine.hash_count > 1 ? "the checksums of several digests" : NULL;
}
