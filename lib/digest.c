/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of providers. All other functions of digest.h call the provider of
 * the digest.
 */
#include "lib/digest.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>

#include "blkhash.h"
#include "lib/digest-provider.h"

/* Two may have a digest of the same name: the first one is used. */
#define ADDRESS(name) &DIGEST_PROVIDER(name),
static const struct digest_ops *const providers[] = {
    DIGEST_PROVIDERS(ADDRESS) NULL,
};

int digest_open(const char *name, struct digest **d)
{
    int err = ENOTSUP;

    for (size_t i = 0; err == ENOTSUP && providers[i]; i++)
        err = providers[i]->open(name, d);
    if (!err)
        assert((*d)->size <= BLKHASH_MAX_MD_SIZE);
    return err;
}

void digest_close(struct digest *d)
{
    if (d)
        d->ops->close(d);
}

size_t digest_size(const struct digest *d)
{
    return d->size;
}

bool digest_is_sha256(const struct digest *d)
{
    return d->is_sha256;
}

const char *digest_provider(const struct digest *d)
{
    return d->ops->name;
}

struct digest_ctx *digest_ctx_new(const struct digest *d)
{
    return d->ops->ctx_new(d);
}

void digest_ctx_free(struct digest_ctx *ctx)
{
    if (ctx)
        ctx->digest->ops->ctx_free(ctx);
}

int digest_start(struct digest_ctx *ctx)
{
    return ctx->digest->ops->start(ctx);
}

int digest_update(struct digest_ctx *ctx, const void *buf, size_t len)
{
    return ctx->digest->ops->update(ctx, buf, len);
}

int digest_finish(struct digest_ctx *ctx, unsigned char *md)
{
    return ctx->digest->ops->finish(ctx, md);
}

static int collect_names(struct name_list *list)
{
    int err = 0;

    for (size_t i = 0; !err && providers[i]; i++)
        err = providers[i]->list(list);
    if (err)
        name_list_clear(list);
    name_list_sort(list);
    return err;
}

const char *const *digest_names(void)
{
    static struct name_list all_names;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int err = 0;

    pthread_mutex_lock(&lock);
    if (!all_names.names)
        err = collect_names(&all_names);
    pthread_mutex_unlock(&lock);
    if (err) {
        errno = err;
        return NULL;
    }
    return (const char *const *)all_names.names;
}
