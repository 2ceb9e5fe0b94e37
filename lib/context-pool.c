/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/context-pool.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

void context_pool_init(struct context_pool *pool, const struct digest *digest)
{
    *pool = (struct context_pool){ .digest = digest };
    pthread_mutex_init(&pool->lock, NULL);
}

void context_pool_destroy(struct context_pool *pool)
{
    for (size_t i = 0; i < pool->idle_count; i++)
        digest_ctx_free(pool->idle[i]);
    free(pool->idle);
    pthread_mutex_destroy(&pool->lock);
}

/* Make room for one more context. */
static bool grow(struct context_pool *pool)
{
    struct digest_ctx **idle =
        realloc(pool->idle, (pool->size + 1) * sizeof(struct digest_ctx *));

    if (!idle)
        return false;
    pool->idle = idle;
    pool->size++;
    return true;
}

struct digest_ctx *context_pool_get(struct context_pool *pool)
{
    struct digest_ctx *ctx = NULL;
    bool room = true;

    pthread_mutex_lock(&pool->lock);
    if (pool->idle_count > 0)
        ctx = pool->idle[--pool->idle_count];
    else
        room = grow(pool);
    pthread_mutex_unlock(&pool->lock);

    return ctx || !room ? ctx : digest_ctx_new(pool->digest);
}

void context_pool_put(struct context_pool *pool, struct digest_ctx *ctx)
{
    if (!ctx)
        return;
    pthread_mutex_lock(&pool->lock);
    assert(pool->idle_count < pool->size);
    pool->idle[pool->idle_count++] = ctx;
    pthread_mutex_unlock(&pool->lock);
}
