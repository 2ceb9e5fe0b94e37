/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/hashes.h"

#include <assert.h>

#include "common/units.h"

size_t hashes_block_size(const struct engine_options *options)
{
    size_t largest = 0;

    for (unsigned i = 0; i < options->hash_count; i++) {
        if (options->hashes[i].block_size > largest)
            largest = options->hashes[i].block_size;
    }
    return largest;
}

size_t hashes_smallest(const struct engine_options *options)
{
    size_t smallest = hashes_block_size(options);

    for (unsigned i = 0; i < options->hash_count; i++) {
        if (options->hashes[i].block_size < smallest)
            smallest = options->hashes[i].block_size;
    }
    return smallest;
}

size_t hashes_block_memory(const struct engine_options *options)
{
    size_t block_size = hashes_block_size(options);
    /* A job has the address of each block. */
    size_t memory =
        block_size / hashes_smallest(options) * sizeof(unsigned char *);

    for (unsigned i = 0; i < options->hash_count; i++)
        memory +=
            block_size / options->hashes[i].block_size * BLKHASH_MAX_MD_SIZE;
    return memory;
}

/* Its digests follow those of the block hashes before it. */
static void add_block_hash(struct hashes *h, struct block_hash *b,
                           size_t slot_blocks)
{
    assert(h->block_size % b->block_size == 0);
    b->scale = h->block_size / b->block_size;
    b->at = h->mds_size;
    h->mds_size += slot_blocks * b->scale * b->md_size;
    h->lanes[h->count++] = &b->lane;
}

int hashes_init(struct hashes *h, const struct engine_options *options,
                const struct engine_input *input, bool is_part,
                size_t slot_blocks)
{
    int err = 0;

    *h = (struct hashes){
        .block_size = hashes_block_size(options),
        .smallest = hashes_smallest(options),
    };
    assert(options->hash_count > 0);
    assert(options->hash_count <= ENGINE_MAX_HASHES);
    assert(options->hash_count == 1 || !(input->known || input->is_part));
    for (unsigned i = 0; !err && i < options->hash_count; i++) {
        struct block_hash *b = &h->blocks[h->block_count++];

        err = block_hash_init(b, &options->hashes[i], is_part, input->name);
        if (!err)
            add_block_hash(h, b, slot_blocks);
    }
    h->blocks[0].sinks = input->sinks;
    h->blocks[0].sink_count = input->sink_count;
    return err;
}

void hashes_init_pair(struct hashes *h, struct sink *const *sink,
                      size_t slot_blocks)
{
    *h = (struct hashes){
        .block_size = SECTOR_SIZE,
        .smallest = SECTOR_SIZE,
        .block_count = 1,
    };
    block_hash_init_pair(&h->blocks[0], sink);
    add_block_hash(h, &h->blocks[0], slot_blocks);
}

void hashes_free(struct hashes *h)
{
    for (unsigned i = 0; i < h->block_count; i++)
        block_hash_free(&h->blocks[i]);
}

int hashes_end(struct hashes *h, uint64_t length, struct engine_sum *sums,
               struct error *error)
{
    int err = 0;

    for (unsigned i = 0; !err && i < h->count; i++)
        err = h->lanes[i]->end(h->lanes[i], length, &sums[i], error);
    return err;
}
