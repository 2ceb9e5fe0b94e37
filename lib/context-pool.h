/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Contexts of a digest, which threads borrow.
 *
 * The pool makes a context if all others are in use, and keeps it. So it grows
 * to the largest number of threads that used it at the same time, and then
 * allocates nothing.
 */
#ifndef LIB_CONTEXT_POOL_H
#define LIB_CONTEXT_POOL_H

#include <pthread.h>
#include <stddef.h>

#include "lib/digest.h"
#include "lib/names.h"

struct context_pool {
    const struct digest *digest;

    pthread_mutex_t lock; /* for all below */
    struct digest_ctx **idle;
    size_t idle_count;
    size_t size; /* of idle: room for all contexts, so that put() cannot fail */
};

/* The digest must outlive the pool. */
void context_pool_init(struct context_pool *pool, const struct digest *digest);

/* All contexts must have been put back. */
void context_pool_destroy(struct context_pool *pool);

/* Borrow a context. NULL when out of memory. Thread-safe. */
struct digest_ctx *context_pool_get(struct context_pool *pool);

/* Put it back; NULL is accepted. Thread-safe. */
void context_pool_put(struct context_pool *pool, struct digest_ctx *ctx);

#endif
