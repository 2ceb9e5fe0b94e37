/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The digest of the digests of blocks.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "blkhash.h"
#include "lib/cancel.h"
#include "lib/digest.h"
#include "lib/zero.h"

/* Digests of zero blocks that are hashed in one call: enough that the overhead
 * of the call does not matter, few enough to stay in the first-level cache. */
#define ZERO_MDS 256

struct blkhash_root {
    size_t block_size;
    struct digest *digest;
    size_t md_size;
    struct digest_ctx *ctx;
    uint64_t blocks;
    bool finished;
    int error;            /* the first of the digest, which cannot go on */
    bool zero_mds_filled; /* else, zero_mds has only the first */
    unsigned char zero_mds[ZERO_MDS * BLKHASH_MAX_MD_SIZE];
};

/* The digest of a zero block, ZERO_MDS times. Small disks have no use for so
 * many, and take less time than this. */
static void fill_zero_mds(struct blkhash_root *r)
{
    for (size_t i = 1; i < ZERO_MDS; i++)
        memcpy(r->zero_mds + i * r->md_size, r->zero_mds, r->md_size);
    r->zero_mds_filled = true;
}

struct blkhash_root *blkhash_root_new(size_t block_size,
                                      const char *digest_name)
{
    HOLD_CANCEL;
    struct blkhash_root *r;
    int err;

    if (!digest_name || block_size == 0 ||
        block_size > BLKHASH_MAX_BLOCK_SIZE) {
        errno = EINVAL;
        return NULL;
    }

    r = malloc(sizeof(*r));
    if (!r)
        return NULL;
    memset(r, 0, offsetof(struct blkhash_root, zero_mds));
    r->block_size = block_size;

    err = digest_open(digest_name, &r->digest);
    if (err)
        goto fail;
    r->md_size = digest_size(r->digest);
    r->ctx = digest_ctx_new(r->digest);
    err = ENOMEM;
    if (r->ctx)
        err = zero_digest(r->ctx, digest_name, block_size, r->zero_mds);
    if (!err)
        err = digest_start(r->ctx);
    if (err)
        goto fail;
    return r;

fail:
    blkhash_root_free(r);
    errno = err;
    return NULL;
}

void blkhash_root_free(struct blkhash_root *r)
{
    if (!r)
        return;
    digest_ctx_free(r->ctx);
    digest_close(r->digest);
    free(r);
}

/* How many more blocks the longest content can have. */
static uint64_t blocks_left(const struct blkhash_root *r)
{
    uint64_t max = INT64_MAX / r->block_size + (INT64_MAX % r->block_size != 0);

    assert(r->blocks <= max);
    return max - r->blocks;
}

int blkhash_root_digests(struct blkhash_root *r, const unsigned char *mds,
                         size_t count)
{
    if (!r || r->finished || (count && !mds) ||
        (r->md_size && count > SIZE_MAX / r->md_size))
        return EINVAL;
    if (count > blocks_left(r))
        return EOVERFLOW;
    if (r->error || count == 0)
        return r->error;
    r->blocks += count;
    r->error = digest_update(r->ctx, mds, count * r->md_size);
    return r->error;
}

int blkhash_root_zero(struct blkhash_root *r, uint64_t blocks)
{
    if (!r || r->finished)
        return EINVAL;
    if (blocks > blocks_left(r))
        return EOVERFLOW;
    r->blocks += blocks;
    if (blocks > 1 && !r->zero_mds_filled)
        fill_zero_mds(r);
    /* "null" has nothing to hash. */
    while (r->md_size && blocks && !r->error) {
        size_t n = blocks < ZERO_MDS ? blocks : ZERO_MDS;

        r->error = digest_update(r->ctx, r->zero_mds, n * r->md_size);
        blocks -= n;
    }
    return r->error;
}

int blkhash_root_final(struct blkhash_root *r, uint64_t length,
                       unsigned char *md, unsigned int *md_len)
{
    unsigned char le64[8];
    int err;

    if (!r || !md || r->finished)
        return EINVAL;
    if (r->error)
        return r->error;
    if (length > INT64_MAX ||
        r->blocks != length / r->block_size + (length % r->block_size != 0))
        return EINVAL;

    for (int i = 0; i < 8; i++)
        le64[i] = length >> (8 * i);
    r->finished = true;
    err = digest_update(r->ctx, le64, sizeof(le64));
    if (!err)
        err = digest_finish(r->ctx, md);
    if (!err && md_len)
        *md_len = r->md_size;
    return err;
}
