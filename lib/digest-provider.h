/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A provider of digests: a third-party library, or code in this tree.
 *
 * Each has one file, digest-NAME.c, which alone includes the headers of a
 * third-party library. The file defines DIGEST_PROVIDER(NAME); lib/meson.build
 * lists the names. The rest of libblkhash uses digests through lib/digest.h.
 */
#ifndef LIB_DIGEST_PROVIDER_H
#define LIB_DIGEST_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/digest.h"
#include "lib/name-list.h"
#include "lib/parts.h"

/* What all algorithms have; a provider may put it first in a larger struct.
 * open() sets all members. */
struct digest {
    const struct digest_ops *ops;
    size_t size;    /* of the digest: to BLKHASH_MAX_MD_SIZE; 0: "null" */
    bool is_sha256; /* so the kernels of sha256.h can compute it */
};

/* What all computations have, likewise. ctx_new() sets all members. */
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

    /* Add the names of all algorithms that open() finds and that have a
     * size. */
    int (*list)(struct name_list *names);

    /* NULL when out of memory. */
    struct digest_ctx *(*ctx_new)(const struct digest *d);
    void (*ctx_free)(struct digest_ctx *ctx);

    /* start() drops a computation that is not finished. */
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
