/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A block size that no message reaches: so a leaf hashes each message as the
 * one short block at the end of some content. */
#define MESSAGE_SIZE (LIST_MAX_CHUNK + 4 * BLKHASH_MAX_MD_SIZE)

static int leaf_new(const char *digest, size_t block_size, const char *name,
                    struct blkhash_leaf **leaf, struct error *error)
{
    *leaf = blkhash_leaf_new(block_size, digest);
    if (*leaf && blkhash_leaf_md_size(*leaf) == 0)
        return error_set(error, EINVAL,
                         "%s: the digest '%s' computes nothing, so no list can "
                         "have it",
                         name, digest);
    if (*leaf)
        return 0;
    if (errno == ENOTSUP)
        return error_set(error, ENOTSUP, "%s: the digest '%s' is not available",
                         name, digest);
    return error_set(error, errno, "%s: digest %s: %s", name, digest,
                     strerror(errno));
}

/* The digest of a block of zeros. */
static int compute_zero_md(struct list_check *check,
                           const struct list_header *header, const char *name,
                           struct error *error)
{
    void *zeros = calloc(1, header->block_size);
    struct blkhash_leaf *leaf = NULL;
    int err =
        zeros ? leaf_new(header->digest, header->block_size, name, &leaf, error)
              : error_no_memory(error, name);

    if (!err) {
        err = blkhash_leaf_hash(leaf, zeros, header->block_size, check->zero_md,
                                NULL);
        if (err)
            err = error_set(error, err, "%s: digest %s: %s", name,
                            header->digest, strerror(err));
    }
    blkhash_leaf_free(leaf);
    free(zeros);
    return err;
}

int list_check_init(struct list_check *check, const struct list_header *header,
                    const char *name, struct error *error)
{
    int err;

    *check = (struct list_check){ .leaf = NULL };
    err = compute_zero_md(check, header, name, error);
    if (err)
        return err;
    err = leaf_new(header->digest, MESSAGE_SIZE, name, &check->leaf, error);
    check->md_size = blkhash_leaf_md_size(check->leaf);
    return err;
}

void list_check_destroy(struct list_check *check)
{
    blkhash_leaf_free(check->leaf);
}

int list_check_compute(struct list_check *check, const void *bytes, size_t len,
                       unsigned char *md)
{
    return blkhash_leaf_hash(check->leaf, bytes, len, md, NULL);
}
