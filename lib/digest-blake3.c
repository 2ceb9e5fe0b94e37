/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * BLAKE3, computed by the C library of its authors. It cannot fail.
 */
#include "lib/digest-provider.h"

#include <blake3.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#define NAME "blake3"

struct ctx {
    struct digest_ctx base;
    blake3_hasher hasher;
};

static blake3_hasher *hasher_of(struct digest_ctx *ctx)
{
    return &((struct ctx *)ctx)->hasher;
}

static int open_digest(const char *name, struct digest **out)
{
    struct digest *d;

    if (strcasecmp(name, NAME) != 0)
        return ENOTSUP;
    d = malloc(sizeof(*d));
    if (!d)
        return ENOMEM;
    *d = (struct digest){
        .ops = &DIGEST_PROVIDER(blake3),
        .size = BLAKE3_OUT_LEN,
    };
    *out = d;
    return 0;
}

static void close_digest(struct digest *d)
{
    free(d);
}

static int list(struct name_list *names)
{
    return name_list_add(names, NAME);
}

static struct digest_ctx *ctx_new(const struct digest *d)
{
    struct ctx *ctx = calloc(1, sizeof(*ctx));

    if (!ctx)
        return NULL;
    ctx->base.digest = d;
    return &ctx->base;
}

static void ctx_free(struct digest_ctx *ctx)
{
    free(ctx);
}

static int start(struct digest_ctx *ctx)
{
    blake3_hasher_init(hasher_of(ctx));
    return 0;
}

static int update(struct digest_ctx *ctx, const void *buf, size_t len)
{
    blake3_hasher_update(hasher_of(ctx), buf, len);
    return 0;
}

static int finish(struct digest_ctx *ctx, unsigned char *md)
{
    blake3_hasher_finalize(hasher_of(ctx), md, BLAKE3_OUT_LEN);
    return 0;
}

const struct digest_ops DIGEST_PROVIDER(blake3) = {
    .name = NAME,
    .open = open_digest,
    .close = close_digest,
    .list = list,
    .ctx_new = ctx_new,
    .ctx_free = ctx_free,
    .start = start,
    .update = update,
    .finish = finish,
};
