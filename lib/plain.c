/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The digest of bytes in one stream, without blocks.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "blkhash.h"
#include "lib/cancel.h"
#include "lib/digest.h"

/* Zeros that are hashed in one call: enough for all lanes of BLAKE3, which
 * hashes 16 KiB at once where it can, and a power of two. */
#define ZEROS 65536

struct blkhash_digest {
    struct digest *digest;
    struct digest_ctx *ctx;
    uint64_t length; /* of what was added */
    bool finished;
    int error; /* the first of the digest, which cannot go on */
};

struct blkhash_digest *blkhash_digest_new(const char *digest_name)
{
    HOLD_CANCEL;
    struct blkhash_digest *d;
    int err;

    if (!digest_name) {
        errno = EINVAL;
        return NULL;
    }

    d = calloc(1, sizeof(*d));
    if (!d)
        return NULL;
    err = digest_open(digest_name, &d->digest);
    if (err)
        goto fail;
    d->ctx = digest_ctx_new(d->digest);
    err = d->ctx ? digest_start(d->ctx) : ENOMEM;
    if (err)
        goto fail;
    return d;

fail:
    blkhash_digest_free(d);
    errno = err;
    return NULL;
}

void blkhash_digest_free(struct blkhash_digest *d)
{
    if (!d)
        return;
    digest_ctx_free(d->ctx);
    digest_close(d->digest);
    free(d);
}

size_t blkhash_digest_size(const struct blkhash_digest *d)
{
    return d ? digest_size(d->digest) : 0;
}

/* Whether len bytes can be added. */
static int check(const struct blkhash_digest *d, size_t len)
{
    if (!d || d->finished)
        return EINVAL;
    if (d->error)
        return d->error;
    return len > INT64_MAX - d->length ? EOVERFLOW : 0;
}

static int add(struct blkhash_digest *d, const void *buf, size_t len)
{
    d->length += len;
    d->error = digest_update(d->ctx, buf, len);
    return d->error;
}

int blkhash_digest_update(struct blkhash_digest *d, const void *buf, size_t len)
{
    int err = check(d, len);

    if (len && !buf)
        return EINVAL;
    return err || len == 0 ? err : add(d, buf, len);
}

int blkhash_digest_zero(struct blkhash_digest *d, size_t len)
{
    /* Nothing writes to it. It is not const, since then it would be a part of
     * the file; this way, all its pages can be the kernel's page of zeros,
     * which stays in the first-level cache. */
    static unsigned char zeros[ZEROS];
    int err = check(d, len);

    /* "null" looks at no zeros. */
    if (!err && digest_size(d->digest) == 0) {
        d->length += len;
        return 0;
    }
    while (!err && len > 0) {
        /* BLAKE3 is fastest if each piece is aligned. */
        size_t n = ZEROS - d->length % ZEROS;

        if (n > len)
            n = len;
        err = add(d, zeros, n);
        len -= n;
    }
    return err;
}

int blkhash_digest_final(struct blkhash_digest *d, unsigned char *md,
                         unsigned int *md_len)
{
    if (!d || !md || d->finished)
        return EINVAL;
    if (d->error)
        return d->error;

    d->error = digest_finish(d->ctx, md);
    if (d->error)
        return d->error;
    d->finished = true;
    if (md_len)
        *md_len = digest_size(d->digest);
    return 0;
}
