/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A provider of digests: a library, or code of our own, that computes some.
 *
 * Each has a file, digest-NAME.c, which is the only one that uses the
 * provider's headers. The file defines DIGEST_PROVIDER(NAME); lib/meson.build
 * lists the names. The rest of the library uses digests by lib/digest.h.
 */
#ifndef LIB_DIGEST_PROVIDER_H
#define LIB_DIGEST_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/digest.h"
#include "lib/name-list.h"
#include "lib/parts.h"

/* The base of a provider's algorithm. open() sets all members. */
struct digest {
    const struct digest_ops *ops;
    size_t size;    /* of its output; 1 to BLKHASH_MAX_MD_SIZE */
    bool is_sha256; /* the kernels of sha256.h compute the same */
};

/* The base of a provider's computation. ctx_new() sets all members. */
struct digest_ctx {
    const struct digest *digest;
};

/* Functions that return int return 0 or a positive errno value. */
struct digest_ops {
    const char *name; /* of the provider, for people to read */

    /* Find an algorithm; upper and lower case are the same. ENOTSUP: this
     * provider does not have it. */
    int (*open)(const char *name, struct digest **d);
    void (*close)(struct digest *d);

    /* Add the names of all algorithms that open() finds. */
    int (*list)(struct name_list *names);

    /* NULL when out of memory. */
    struct digest_ctx *(*ctx_new)(const struct digest *d);
    void (*ctx_free)(struct digest_ctx *ctx);

    /* start() begins anew, also in the middle of a computation. */
    int (*start)(struct digest_ctx *ctx);
    int (*update)(struct digest_ctx *ctx, const void *buf, size_t len);
    int (*finish)(struct digest_ctx *ctx, unsigned char *md);
};

/* A provider's symbol, with the prefix of lib/names.h. */
#define DIGEST_PROVIDER(name) blkhash_inner_digest_##name

/* All providers of this build. */
#define DECLARE_PROVIDER(name)                                                 \
    extern const struct digest_ops DIGEST_PROVIDER(name);
DIGEST_PROVIDERS(DECLARE_PROVIDER)
#undef DECLARE_PROVIDER

#endif
