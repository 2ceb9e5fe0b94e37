/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Digests. They come from several providers (digest-provider.h).
 *
 * Functions that return int return 0 or a positive errno value.
 */
#ifndef LIB_DIGEST_H
#define LIB_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/names.h"

/* An algorithm. Any number of threads can use it at the same time. */
struct digest;

/* A computation: start, update..., finish, and start again. One thread at a
 * time can use it. */
struct digest_ctx;

/* Find an algorithm; upper and lower case are the same. Close it with
 * digest_close(), which accepts NULL. ENOTSUP: no provider has it. */
int digest_open(const char *name, struct digest **d);
void digest_close(struct digest *d);

/* 0: it is "null", which computes nothing. */
size_t digest_size(const struct digest *d);
bool digest_is_sha256(const struct digest *d);

/* The name of the provider, for people to read. */
const char *digest_provider(const struct digest *d);

/* Make a context, which the digest must outlive. Free it with
 * digest_ctx_free(), which accepts NULL. Returns NULL when out of memory. */
struct digest_ctx *digest_ctx_new(const struct digest *d);
void digest_ctx_free(struct digest_ctx *ctx);

/* Begin a computation. One that is not finished is dropped. */
int digest_start(struct digest_ctx *ctx);
int digest_update(struct digest_ctx *ctx, const void *buf, size_t len);
/* md has room for digest_size() bytes. */
int digest_finish(struct digest_ctx *ctx, unsigned char *md);

/* As blkhash_digests(). */
const char *const *digest_names(void);

#endif
