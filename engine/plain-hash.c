/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/plain-hash.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static int fail(const struct plain_hash *h, int err, struct error *error)
{
    return error_set(error, err, "%s: cannot compute the digest: %s", h->name,
                     strerror(err));
}

static int plain_hash_take(struct lane *lane, const struct slot *slot,
                           struct error *error)
{
    const struct plain_hash *h = (struct plain_hash *)lane;
    const unsigned char *data = slot->data;
    size_t left = slot_data_length(slot);
    int err = 0;

    for (unsigned i = 0; !err && i < slot->run_count; i++) {
        const struct run *run = &slot->runs[i];
        size_t len = run->data_blocks * h->block_size;

        assert(run->known_blocks == 0);
        if (len > left)
            len = left;
        err = blkhash_digest_zero(h->digest, run->zero_blocks * h->block_size);
        if (!err)
            err = blkhash_digest_update(h->digest, data, len);
        data += len;
        left -= len;
    }
    return err ? fail(h, err, error) : 0;
}

static int plain_hash_end(struct lane *lane, uint64_t length,
                          struct engine_sum *sum, struct error *error)
{
    const struct plain_hash *h = (struct plain_hash *)lane;
    int err = blkhash_digest_final(h->digest, sum->md, &sum->md_len);

    (void)length;
    return err ? fail(h, err, error) : 0;
}

int plain_hash_init(struct plain_hash *h, const char *digest, size_t block_size,
                    const char *name)
{
    *h = (struct plain_hash){
        .lane = { .take = plain_hash_take,
                  .end = plain_hash_end,
                  .takes_bytes = true },
        .block_size = block_size,
        .name = name,
    };
    h->digest = blkhash_digest_new(digest);
    return h->digest ? 0 : errno;
}

void plain_hash_free(struct plain_hash *h)
{
    blkhash_digest_free(h->digest);
}
