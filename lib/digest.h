/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Digest algorithms, whoever provides them (digest-provider.h).
 *
 * Functions that return int return 0 or a positive errno value.
 */
#ifndef LIB_DIGEST_H
#define LIB_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/names.h"

/* An algorithm. Once open, any thread may use it. */
struct digest;

/* One computation, reusable: start, update..., finish. Used by one thread. */
struct digest_ctx;

/* Find an algorithm; upper and lower case are the same. ENOTSUP: no provider
 * has it. Closed with digest_close(), which accepts NULL. */
int digest_open(const char *name, struct digest **d);
void digest_close(struct digest *d);

size_t digest_size(const struct digest *d);
bool digest_is_sha256(const struct digest *d);

/* The name of the provider, for people to read. */
const char *digest_provider(const struct digest *d);

/* The digest d must outlive the context. NULL when out of memory. Freed with
 * digest_ctx_free(), which accepts NULL. */
struct digest_ctx *digest_ctx_new(const struct digest *d);
void digest_ctx_free(struct digest_ctx *ctx);

/* Begin a computation. What was begun before and not finished is dropped. */
int digest_start(struct digest_ctx *ctx);
int digest_update(struct digest_ctx *ctx, const void *buf, size_t len);
/* md has room for digest_size() bytes. */
int digest_finish(struct digest_ctx *ctx, unsigned char *md);

/* As blkhash_digests(). */
const char *const *digest_names(void);

#endif
