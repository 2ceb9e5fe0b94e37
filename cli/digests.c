/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/digests.h"

#include <inttypes.h>

#include "cli/digest-option.h"
#include "cli/message.h"
#include "cli/options.h"
#include "common/array.h"

static bool has_hash(const struct engine_options *e, const char *digest,
                     size_t block_size)
{
    for (unsigned i = 0; i < e->hash_count; i++) {
        if (e->hashes[i].block_size == block_size &&
            digest_option_same(e->hashes[i].digest, digest))
            return true;
    }
    return false;
}

/* What is there already counts once, by whatever name. */
static enum options_result add(struct engine_options *e, const char *digest,
                               size_t block_size)
{
    enum options_result result = digest_option_check(digest);

    if (result != OPTIONS_RUN || has_hash(e, digest, block_size))
        return result;
    if (e->hash_count == ENGINE_MAX_HASHES) {
        usage_message("more than %d digests", ENGINE_MAX_HASHES);
        return OPTIONS_BAD;
    }
    e->hashes[e->hash_count++] =
        (struct engine_hash){ .digest = digest, .block_size = block_size };
    return OPTIONS_RUN;
}

static enum options_result add_all(struct options *o)
{
    const struct digest_options *d = &o->digests;
    size_t block_size =
        d->block_size ? d->block_size : BLKHASH_DEFAULT_BLOCK_SIZE;
    enum options_result result = OPTIONS_RUN;

    o->engine.hash_count = 0;
    if (!d->choice_count)
        return add(&o->engine, BLKHASH_DEFAULT_DIGEST, block_size);
    for (unsigned i = 0; i < d->choice_count && result == OPTIONS_RUN; i++) {
        const struct digest_choice *c = &d->choices[i];

        result = add(&o->engine, c->digest,
                     c->block_size ? c->block_size : block_size);
    }
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

            if (a % b == 0 || b % a == 0)
                continue;
            usage_message("block sizes %zu and %zu: one must be a multiple of "
                          "the other",
                          b, a);
            return false;
        }
    }
    return true;
}

/* Several digests are those of one pass over a whole image. */
static bool verify_several(const struct options *o)
{
    const struct digest_list_options *l = &o->digest_list;
    const struct {
        const char *name;
        bool given;
    } alone[] = {
        { "--check", o->list.check },  { "--diff", l->diff },
        { "--show", l->show },         { "--merge", l->merge },
        { "--base", l->base },         { "--resume", l->resume },
        { "--shard", l->shard.count },
    };

    for (size_t i = 0; i < ARRAY_SIZE(alone); i++) {
        if (!alone[i].given)
            continue;
        usage_message("with the %s option, there can be only one digest",
                      alone[i].name);
        return false;
    }
    return true;
}

enum options_result digests_choose(struct options *o)
{
    enum options_result result = add_all(o);

    if (result != OPTIONS_RUN)
        return result;
    if (o->engine.hash_count > 1 && !verify_several(o))
        return OPTIONS_BAD;
    if (!verify_sizes(&o->engine))
        return OPTIONS_BAD;
    return OPTIONS_RUN;
}
