/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/expect.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/digest-option.h"
#include "cli/message.h"
#include "cli/output.h"
#include "cli/sum.h"
#include "cli/sums.h"
#include "common/array.h"
#include "common/hex.h"
#include "common/units.h"

/* "sha256", "sha256/64k", or a tag: "BLKHASH-SHA256-64K". */
static enum options_result parse_name(char *name, struct digest_choice *choice)
{
    size_t tag =
        strncmp(name, SUM_TAG, strlen(SUM_TAG)) == 0 ? strlen(SUM_TAG) : 0;
    char *hyphen = tag ? strrchr(name + tag, '-') : NULL;

    if (hyphen)
        *hyphen = '/';
    return digest_option_parse(name + (hyphen ? tag : 0), choice);
}

enum options_result expect_option(struct options *o, char *argument)
{
    struct expected_sum *e = &o->expected;
    char *colon = strrchr(argument, ':');

    if (e->hex) {
        usage_message("there can be only one --expect option");
        return OPTIONS_BAD;
    }
    e->hex = colon ? colon + 1 : argument;
    if (!colon)
        return OPTIONS_RUN;
    *colon = 0;
    return parse_name(argument, &e->choice);
}

void expect_choose(struct options *o)
{
    struct digest_options *d = &o->digests;

    if (o->expected.choice.digest && !d->choice_count)
        d->choices[d->choice_count++] = o->expected.choice;
}

/* --- verify ------------------------------------------------------------- */

static bool verify_options(const struct options *o)
{
    const struct {
        const char *name;
        bool given;
    } others[] = {
        { "--check", o->list.check },
        { "--diff", o->digest_list.diff },
        { "--show", o->digest_list.show },
        { "--merge", o->digest_list.merge },
        { "--shard", o->digest_list.shard.count },
        { "--tag", o->list.tag },
        { "--zero", o->list.zero },
    };

    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (!others[i].given)
            continue;
        usage_message("the --expect and %s options are mutually exclusive",
                      others[i].name);
        return false;
    }
    if (o->image_count > 1)
        usage_message("--expect takes one image");
    return o->image_count <= 1;
}

/* Whether a name in the argument is that of what is computed. */
static int is_named(const struct digest_choice *name,
                    const struct engine_hash *hash, bool *named)
{
    *named = !name->block_size || name->block_size == hash->block_size;
    return name->digest && *named
               ? digest_option_same(name->digest, hash->digest, named)
               : 0;
}

static enum options_result verify_hash(const struct options *o,
                                       const struct engine_hash *hash)
{
    const struct digest_choice *name = &o->expected.choice;
    bool named;
    int err = is_named(name, hash, &named);

    if (err)
        return digest_option_failed(name->digest, err);
    if (named)
        return OPTIONS_RUN;
    if (name->block_size)
        usage_message("--expect names %s in blocks of %zu bytes, but another "
                      "digest is computed",
                      name->digest, name->block_size);
    else
        usage_message("--expect names %s, but %s is computed", name->digest,
                      hash->digest);
    return OPTIONS_BAD;
}

static enum options_result verify_hex(struct expected_sum *e,
                                      const char *digest)
{
    struct blkhash_leaf *leaf = blkhash_leaf_new(SECTOR_SIZE, digest);
    size_t size = blkhash_leaf_md_size(leaf);
    size_t len = strlen(e->hex);

    if (!leaf)
        return digest_option_failed(digest, errno);
    blkhash_leaf_free(leaf);
    if (!len || strspn(e->hex, "0123456789abcdefABCDEF") < len) {
        usage_message("--expect: not a checksum in hexadecimal: '%s'", e->hex);
        return OPTIONS_BAD;
    }
    e->md_len = hex_parse(e->hex, e->md, sizeof(e->md));
    if (len == 2 * size && e->md_len == size)
        return OPTIONS_RUN;
    usage_message("--expect: the checksum has %zu digits, but one of %s has "
                  "%zu; see --digest and --plain",
                  len, digest, 2 * size);
    return OPTIONS_BAD;
}

enum options_result expect_verify(struct options *o)
{
    struct expected_sum *e = &o->expected;
    const struct engine_hash *hash;
    enum options_result result;

    if (!e->hex)
        return OPTIONS_RUN;
    if (!verify_options(o))
        return OPTIONS_BAD;
    if (o->engine.hash_count > (o->digests.list_only ? 2 : 1)) {
        usage_message("--expect takes one digest");
        return OPTIONS_BAD;
    }
    e->hash = o->engine.hash_count - 1;
    hash = &o->engine.hashes[e->hash];
    result = verify_hash(o, hash);
    return result == OPTIONS_RUN ? verify_hex(e, hash->digest) : result;
}

/* --- verdict ------------------------------------------------------------ */

/* This happens with a checksum that a publisher of images made. Only disksum
 * has sizes of blocks. */
static void print_hint(const struct options *o, const struct sums_line *line)
{
    if (line->block_size && !o->expected.choice.block_size)
        message("%s: a checksum of sha256sum or a similar program needs "
                "--plain=%s",
                line->name, line->digest);
}

void expect_print(const struct options *o, const struct sums_line *line,
                  bool matches)
{
    bool quiet = o->list.verbosity == VERBOSITY_QUIET;

    if (!matches && !quiet)
        print_hint(o, line);
    if (!matches || !quiet)
        sums_write_verdict(output(), line->name, &line->part,
                           matches ? "OK" : "FAILED");
}
