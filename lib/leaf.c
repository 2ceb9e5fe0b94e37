/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Digests of blocks.
 *
 * A leaf is constant but for its spare digest contexts, one for each thread
 * that was inside at the same time as others.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "blkhash.h"
#include "lib/cancel.h"
#include "lib/digest.h"
#include "lib/sha256-dispatch.h"
#include "lib/zero.h"

struct spare {
    struct digest_ctx *ctx;
    struct spare *next;
};

struct blkhash_leaf {
    size_t block_size;
    struct digest *digest;
    size_t md_size;
    const struct sha256_dispatch *sha256; /* NULL: another digest */
    unsigned char zero_md[BLKHASH_MAX_MD_SIZE];

    pthread_mutex_t lock;
    struct spare *spares;
};

/* Borrow a context. NULL when out of memory. */
static struct spare *spare_get(struct blkhash_leaf *leaf)
{
    struct spare *spare;

    pthread_mutex_lock(&leaf->lock);
    spare = leaf->spares;
    if (spare)
        leaf->spares = spare->next;
    pthread_mutex_unlock(&leaf->lock);
    if (spare)
        return spare;

    spare = calloc(1, sizeof(*spare));
    if (!spare)
        return NULL;
    spare->ctx = digest_ctx_new(leaf->digest);
    if (!spare->ctx) {
        free(spare);
        return NULL;
    }
    return spare;
}

static void spare_put(struct blkhash_leaf *leaf, struct spare *spare)
{
    if (!spare)
        return;
    pthread_mutex_lock(&leaf->lock);
    spare->next = leaf->spares;
    leaf->spares = spare;
    pthread_mutex_unlock(&leaf->lock);
}

/* Hash one block with the digest's library. *spare is borrowed when the first
 * block needs it. */
static int hash_one(struct blkhash_leaf *leaf, struct spare **spare,
                    const void *buf, size_t len, unsigned char *md)
{
    int err;

    if (!*spare)
        *spare = spare_get(leaf);
    if (!*spare)
        return ENOMEM;

    err = digest_start((*spare)->ctx);
    if (!err)
        err = digest_update((*spare)->ctx, buf, len);
    if (!err)
        err = digest_finish((*spare)->ctx, md);
    return err;
}

/* Blocks of the same length that wait until there is one for every lane. */
struct group {
    const uint8_t *blocks[SHA256_MAX_LANES];
    unsigned char *mds[SHA256_MAX_LANES];
    unsigned count;
};

static int hash_group(struct blkhash_leaf *leaf, struct spare **spare,
                      struct group *group, size_t len)
{
    unsigned done = 0;

    while (done < group->count) {
        unsigned left = group->count - done;
        const struct sha256_kernel *kernel =
            leaf->sha256 ? leaf->sha256->best[left] : NULL;
        unsigned n = sha256_group(kernel, left);

        if (kernel) {
            sha256_hash(kernel, group->blocks + done, n, len,
                        group->mds + done);
        } else {
            int err = hash_one(leaf, spare, group->blocks[done], len,
                               group->mds[done]);

            if (err)
                return err;
        }
        done += n;
    }
    group->count = 0;
    return 0;
}

/* Add a whole block to the group; hash the group when it is full. */
static int add_block(struct blkhash_leaf *leaf, struct spare **spare,
                     struct group *group, const uint8_t *block,
                     unsigned char *md, size_t *zero_blocks)
{
    if (is_zero(block, leaf->block_size)) {
        memcpy(md, leaf->zero_md, leaf->md_size);
        ++*zero_blocks;
        return 0;
    }
    group->blocks[group->count] = block;
    group->mds[group->count] = md;
    if (++group->count < SHA256_MAX_LANES)
        return 0;
    return hash_group(leaf, spare, group, leaf->block_size);
}

int blkhash_leaf_hash(struct blkhash_leaf *leaf, const void *buf, size_t len,
                      unsigned char *mds, size_t *zero_blocks)
{
    HOLD_CANCEL;
    struct spare *spare = NULL;
    struct group group = { .count = 0 };
    const uint8_t *p = buf;
    size_t zeros = 0;
    int err = 0;

    if (!leaf || (len && (!buf || !mds)))
        return EINVAL;

    while (!err && len >= leaf->block_size) {
        err = add_block(leaf, &spare, &group, p, mds, &zeros);
        p += leaf->block_size;
        len -= leaf->block_size;
        mds += leaf->md_size;
    }
    if (!err)
        err = hash_group(leaf, &spare, &group, leaf->block_size);
    if (!err && len) {
        group.blocks[0] = p;
        group.mds[0] = mds;
        group.count = 1;
        err = hash_group(leaf, &spare, &group, len);
    }

    spare_put(leaf, spare);
    if (zero_blocks)
        *zero_blocks = zeros;
    return err;
}

int blkhash_leaf_hashv(struct blkhash_leaf *leaf, const void *const *blocks,
                       size_t count, unsigned char *mds, size_t *zero_blocks)
{
    HOLD_CANCEL;
    struct spare *spare = NULL;
    struct group group = { .count = 0 };
    size_t zeros = 0;
    int err = 0;

    if (!leaf || (count && (!blocks || !mds)))
        return EINVAL;

    for (size_t i = 0; i < count; i++) {
        if (!blocks[i])
            return EINVAL;
    }
    for (size_t i = 0; !err && i < count; i++)
        err = add_block(leaf, &spare, &group, blocks[i],
                        mds + i * leaf->md_size, &zeros);
    if (!err)
        err = hash_group(leaf, &spare, &group, leaf->block_size);

    spare_put(leaf, spare);
    if (zero_blocks)
        *zero_blocks = zeros;
    return err;
}

static int hash_zero_block(struct blkhash_leaf *leaf)
{
    struct spare *spare = spare_get(leaf);
    int err = spare ? zero_digest(spare->ctx, leaf->block_size, leaf->zero_md)
                    : ENOMEM;

    spare_put(leaf, spare);
    return err;
}

struct blkhash_leaf *blkhash_leaf_new(size_t block_size,
                                      const char *digest_name)
{
    HOLD_CANCEL;
    struct blkhash_leaf *leaf;
    int err;

    if (!digest_name || block_size == 0 ||
        block_size > BLKHASH_MAX_BLOCK_SIZE) {
        errno = EINVAL;
        return NULL;
    }

    leaf = calloc(1, sizeof(*leaf));
    if (!leaf)
        return NULL;
    pthread_mutex_init(&leaf->lock, NULL);
    leaf->block_size = block_size;

    err = digest_open(digest_name, &leaf->digest);
    if (err)
        goto fail;
    leaf->md_size = digest_size(leaf->digest);
    if (digest_is_sha256(leaf->digest)) {
        err = sha256_get_dispatch(&leaf->sha256);
        if (err)
            goto fail;
    }
    err = hash_zero_block(leaf);
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
    while (leaf->spares) {
        struct spare *spare = leaf->spares;

        leaf->spares = spare->next;
        digest_ctx_free(spare->ctx);
        free(spare);
    }
    digest_close(leaf->digest);
    pthread_mutex_destroy(&leaf->lock);
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
