/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list/root-sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct root_sink {
    struct sink sink; /* the first member */
    struct blkhash_root *root;
    const char *name;
};

static int fail(const struct root_sink *s, int err, struct error *error)
{
    return error_set(error, err, "%s: cannot compute the digest: %s", s->name,
                     strerror(err));
}

static int root_zero(struct sink *sink, uint64_t blocks, struct error *error)
{
    struct root_sink *s = (struct root_sink *)sink;
    int err = blkhash_root_zero(s->root, blocks);

    return err ? fail(s, err, error) : 0;
}

static int root_digests(struct sink *sink, const unsigned char *mds,
                        size_t count, struct error *error)
{
    struct root_sink *s = (struct root_sink *)sink;
    int err = blkhash_root_digests(s->root, mds, count);

    return err ? fail(s, err, error) : 0;
}

static int root_end(struct sink *sink, struct sink_end *end,
                    struct error *error)
{
    struct root_sink *s = (struct root_sink *)sink;
    int err = blkhash_root_final(s->root, end->length, end->md, &end->md_len);

    return err ? fail(s, err, error) : 0;
}

int root_sink_new(size_t block_size, const char *digest, const char *name,
                  struct sink **sink)
{
    struct root_sink *s = calloc(1, sizeof(*s));

    if (!s)
        return ENOMEM;
    s->sink = (struct sink){
        .zero = root_zero,
        .digests = root_digests,
        .end = root_end,
    };
    s->name = name;
    s->root = blkhash_root_new(block_size, digest);
    if (!s->root) {
        int err = errno;

        free(s);
        return err;
    }
    *sink = &s->sink;
    return 0;
}

void root_sink_free(struct sink *sink)
{
    struct root_sink *s = (struct root_sink *)sink;

    if (!s)
        return;
    blkhash_root_free(s->root);
    free(s);
}
