/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Digests of blocks. A leaf is constant, except for its pool of contexts.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "blkhash.h"
#include "lib/cancel.h"
#include "lib/context-pool.h"
#include "lib/digest.h"
#include "lib/sha256-dispatch.h"
#include "lib/zero.h"

struct blkhash_leaf {
    size_t block_size;
    struct digest *digest;
    size_t md_size;
    const struct sha256_dispatch *sha256; /* NULL: not SHA-256 */
    unsigned char zero_md[BLKHASH_MAX_MD_SIZE];
    struct context_pool contexts;
};

/*
 * The work of one call: blocks of the same length, which wait until there is
 * one for each lane, and the context that hashes a block without a kernel.
 */
struct group {
    struct blkhash_leaf *leaf;
    struct digest_ctx *ctx; /* NULL: not needed so far */
    const uint8_t *blocks[SHA256_MAX_LANES];
    unsigned char *mds[SHA256_MAX_LANES];
    unsigned count;
    size_t zero_blocks; /* skipped by group_add() */
};

/* Hash one block with the digest's provider. */
static int hash_one(struct group *group, const void *buf, size_t len,
                    unsigned char *md)
{
    int err;

    if (!group->ctx)
        group->ctx = context_pool_get(&group->leaf->contexts);
    if (!group->ctx)
        return ENOMEM;

    err = digest_start(group->ctx);
    if (!err)
        err = digest_update(group->ctx, buf, len);
    if (!err)
        err = digest_finish(group->ctx, md);
    return err;
}

/* Hash all blocks of the group, of len bytes each. After that it is empty. */
static int group_hash(struct group *group, size_t len)
{
    const struct sha256_dispatch *sha256 = group->leaf->sha256;
    unsigned done = 0;

    while (done < group->count) {
        unsigned left = group->count - done;
        const struct sha256_kernel *kernel = sha256 ? sha256->best[left] : NULL;
        unsigned n = sha256_group(kernel, left);

        if (kernel) {
            sha256_hash(kernel, group->blocks + done, n, len,
                        group->mds + done);
        } else {
            int err =
                hash_one(group, group->blocks[done], len, group->mds[done]);

            if (err)
                return err;
        }
        done += n;
    }
    group->count = 0;
    return 0;
}

/* Add a block. All blocks of a group have the same length. */
static void group_put(struct group *group, const uint8_t *block,
                      unsigned char *md)
{
    assert(group->count < SHA256_MAX_LANES);
    group->blocks[group->count] = block;
    group->mds[group->count] = md;
    group->count++;
}

/* Whether a block has the digest of zeros. Nobody needs to know for "null". */
static bool is_known(const struct blkhash_leaf *leaf, const uint8_t *block)
{
    return leaf->md_size && is_zero(block, leaf->block_size);
}

/* Add a whole block, unless it is all zeros. If the group is full, hash it. */
static int group_add(struct group *group, const uint8_t *block,
                     unsigned char *md)
{
    const struct blkhash_leaf *leaf = group->leaf;

    if (is_known(leaf, block)) {
        memcpy(md, leaf->zero_md, leaf->md_size);
        group->zero_blocks++;
        return 0;
    }
    group_put(group, block, md);
    if (group->count < SHA256_MAX_LANES)
        return 0;
    return group_hash(group, leaf->block_size);
}

static void group_end(struct group *group, size_t *zero_blocks)
{
    context_pool_put(&group->leaf->contexts, group->ctx);
    if (zero_blocks)
        *zero_blocks = group->zero_blocks;
}

int blkhash_leaf_hash(struct blkhash_leaf *leaf, const void *buf, size_t len,
                      unsigned char *mds, size_t *zero_blocks)
{
    HOLD_CANCEL;
    struct group group = { .leaf = leaf };
    const uint8_t *p = buf;
    int err = 0;

    if (!leaf || (len && (!buf || !mds)))
        return EINVAL;

    while (!err && len >= leaf->block_size) {
        err = group_add(&group, p, mds);
        p += leaf->block_size;
        len -= leaf->block_size;
        mds += leaf->md_size;
    }
    if (!err)
        err = group_hash(&group, leaf->block_size);
    if (!err && len) {
        group_put(&group, p, mds);
        err = group_hash(&group, len);
    }
    group_end(&group, zero_blocks);
    return err;
}

int blkhash_leaf_hashv(struct blkhash_leaf *leaf, const void *const *blocks,
                       size_t count, unsigned char *mds, size_t *zero_blocks)
{
    HOLD_CANCEL;
    struct group group = { .leaf = leaf };
    int err = 0;

    if (!leaf || (count && (!blocks || !mds)))
        return EINVAL;

    for (size_t i = 0; i < count; i++) {
        if (!blocks[i])
            return EINVAL;
    }
    for (size_t i = 0; !err && i < count; i++)
        err = group_add(&group, blocks[i], mds + i * leaf->md_size);
    if (!err)
        err = group_hash(&group, leaf->block_size);
    group_end(&group, zero_blocks);
    return err;
}

static int hash_zero_block(struct blkhash_leaf *leaf, const char *digest_name)
{
    struct digest_ctx *ctx = context_pool_get(&leaf->contexts);
    int err = ENOMEM;

    if (ctx)
        err = zero_digest(ctx, digest_name, leaf->block_size, leaf->zero_md);
    context_pool_put(&leaf->contexts, ctx);
    return err;
}

struct blkhash_leaf *blkhash_leaf_new(size_t block_size,
                                      const char *digest_name)
{
    HOLD_CANCEL;
    struct blkhash_leaf *leaf;
    struct digest *digest;
    int err;

    if (!digest_name || block_size == 0 ||
        block_size > BLKHASH_MAX_BLOCK_SIZE) {
        errno = EINVAL;
        return NULL;
    }

    err = digest_open(digest_name, &digest);
    if (err) {
        errno = err;
        return NULL;
    }
    leaf = calloc(1, sizeof(*leaf));
    if (!leaf) {
        digest_close(digest);
        errno = ENOMEM;
        return NULL;
    }
    leaf->block_size = block_size;
    leaf->digest = digest;
    leaf->md_size = digest_size(digest);
    context_pool_init(&leaf->contexts, digest);

    if (digest_is_sha256(digest)) {
        err = sha256_get_dispatch(&leaf->sha256);
        if (err)
            goto fail;
    }
    err = hash_zero_block(leaf, digest_name);
    if (err)
        goto fail;
    return leaf;

fail:
    blkhash_leaf_free(leaf);
    errno = err;
    return NULL;
}

void blkhash_leaf_free(struct blkhash_leaf *leaf)
{
    HOLD_CANCEL;
    if (!leaf)
        return;
    context_pool_destroy(&leaf->contexts);
    digest_close(leaf->digest);
    free(leaf);
}

size_t blkhash_leaf_md_size(const struct blkhash_leaf *leaf)
{
    return leaf ? leaf->md_size : 0;
}

const char *blkhash_leaf_kernel(const struct blkhash_leaf *leaf)
{
    const struct sha256_kernel *kernel;

    if (!leaf)
        return NULL;
    kernel = leaf->sha256 ? leaf->sha256->best[SHA256_MAX_LANES] : NULL;
    return kernel ? kernel->name : digest_provider(leaf->digest);
}
