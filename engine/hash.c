/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/hash.h"

#include <string.h>

#include "common/bytes.h"

/* Find where each block is. One that is only partly mapped is put together in
 * the buffer. */
static void place_blocks(struct job *job, size_t size)
{
    size_t count = (job->len + size - 1) / size;

    for (size_t i = 0; i < count; i++)
        job->blocks[i] = job->buf + i * size;

    for (size_t i = 0; i < job->read_count; i++) {
        const struct read *read = &job->reads[i];
        size_t left = read->len;
        const unsigned char *p = read->view;
        size_t at;

        if (!p)
            continue;
        at = read->buf - job->buf; /* only DATA has a view */
        while (left) {
            size_t in_block = at % size;
            size_t n = size - in_block;

            if (n > left)
                n = left;
            if (in_block == 0 && (n == size || at + n == job->len))
                job->blocks[at / size] = p;
            else
                memcpy(job->buf + at, p, n);
            p += n;
            at += n;
            left -= n;
        }
    }
}

void false_hole_merge(struct false_hole *hole, const struct false_hole *other)
{
    if (other->name && (!hole->name || other->guest < hole->guest))
        *hole = *other;
}

void find_false_holes(const struct job *job, struct found *found)
{
    for (size_t i = 0; i < job->read_count; i++) {
        const struct read *read = &job->reads[i];
        const unsigned char *p = read->view ? read->view : read->buf;
        size_t at = 0;

        if (!read->hole || bytes_are_zero(p, read->len))
            continue;
        while (at < read->len - 1 && p[at] == 0)
            at++;
        false_hole_merge(&found->false_hole,
                         &(struct false_hole){ .name = read->reader->name,
                                               .offset = read->offset + at,
                                               .guest = job->slot->offset });
    }
}

static int hash_blocks(const struct block_hash *h, struct job *job,
                       size_t *zero_blocks)
{
    size_t whole = job->len / h->block_size;
    size_t rest = job->len % h->block_size;
    unsigned char *mds = job->slot->mds + h->at;
    int err;

    place_blocks(job, h->block_size);
    err = blkhash_leaf_hashv(h->leaf, (const void *const *)job->blocks, whole,
                             mds, zero_blocks);
    if (!err && rest)
        err = blkhash_leaf_hash(h->leaf, job->blocks[whole], rest,
                                mds + whole * h->md_size, NULL);
    return err;
}

int hash_job(const struct hashes *hashes, struct job *job, struct found *found)
{
    int err = 0;

    *found = (struct found){ .zeros = 0 };
    find_false_holes(job, found);
    for (unsigned i = 0; !err && i < hashes->block_count; i++) {
        const struct block_hash *h = &hashes->blocks[i];
        size_t zero_blocks;

        err = hash_blocks(h, job, &zero_blocks);
        /* Holes are counted in blocks of this size, too. */
        if (!err && h->block_size == hashes->block_size)
            found->zeros = zero_blocks * h->block_size;
    }
    return err;
}
