/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/block-hash.h"

#include <errno.h>
#include <string.h>

#include "list/root-sink.h"

/* Give a slot to a sink. A block of the slot is `scale` blocks of the hash, but
 * fewer if it is the short one at the end of the disk. */
static int fill_sink(const struct block_hash *h, struct sink *sink,
                     const struct slot *slot, struct error *error)
{
    const unsigned char *mds = slot->mds + h->at;
    const unsigned char *known_mds = slot->known_mds;
    size_t left = (slot_data_length(slot) + h->block_size - 1) / h->block_size;
    int err = 0;

    for (unsigned i = 0; !err && i < slot->run_count; i++) {
        const struct run *run = &slot->runs[i];
        size_t count = run->data_blocks * h->scale;

        if (count > left)
            count = left;
        err = sink->zero(sink, run->zero_blocks * h->scale, error);
        if (!err && run->known_blocks) {
            err = sink->digests(sink, known_mds, run->known_blocks, error);
            known_mds += run->known_blocks * h->md_size;
        }
        if (!err)
            err = sink->digests(sink, mds, count, error);
        mds += count * h->md_size;
        left -= count;
    }
    return err;
}

static int block_hash_take(struct lane *lane, const struct slot *slot,
                           struct error *error)
{
    const struct block_hash *h = (struct block_hash *)lane;
    int err = h->root ? fill_sink(h, h->root, slot, error) : 0;

    for (size_t i = 0; !err && i < h->sink_count; i++)
        err = fill_sink(h, h->sinks[i], slot, error);
    return err;
}

static int block_hash_end(struct lane *lane, uint64_t length,
                          struct engine_sum *sum, struct error *error)
{
    const struct block_hash *h = (struct block_hash *)lane;
    struct sink_end end = { .length = length };
    int err = h->root ? h->root->end(h->root, &end, error) : 0;

    for (size_t i = 0; !err && i < h->sink_count; i++)
        err = h->sinks[i]->end(h->sinks[i], &end, error);
    memcpy(sum->md, end.md, end.md_len);
    sum->md_len = end.md_len;
    return err;
}

int block_hash_init(struct block_hash *h, const struct engine_hash *hash,
                    bool is_part, const char *name)
{
    *h = (struct block_hash){
        .lane = { .take = block_hash_take, .end = block_hash_end },
        .block_size = hash->block_size,
    };
    h->leaf = blkhash_leaf_new(hash->block_size, hash->digest);
    if (!h->leaf)
        return errno;
    h->md_size = blkhash_leaf_md_size(h->leaf);
    return is_part
               ? 0
               : root_sink_new(hash->block_size, hash->digest, name, &h->root);
}

void block_hash_init_pair(struct block_hash *h, struct sink *const *sink)
{
    *h = (struct block_hash){
        .lane = { .take = block_hash_take, .end = block_hash_end },
        .block_size = SECTOR_SIZE,
        .md_size = 1,
        .sinks = sink,
        .sink_count = 1,
    };
}

void block_hash_free(struct block_hash *h)
{
    blkhash_leaf_free(h->leaf);
    root_sink_free(h->root);
}
