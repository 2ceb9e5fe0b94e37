/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/hashes.h"

#include <assert.h>

#include "common/units.h"

static bool is_plain(const struct engine_hash *hash)
{
    return hash->block_size == 0;
}

size_t hashes_block_size(const struct engine_options *options)
{
    size_t largest = 0;

    for (unsigned i = 0; i < options->hash_count; i++) {
        if (options->hashes[i].block_size > largest)
            largest = options->hashes[i].block_size;
    }
    return largest ? largest : BLKHASH_DEFAULT_BLOCK_SIZE;
}

size_t hashes_smallest(const struct engine_options *options)
{
    size_t smallest = hashes_block_size(options);

    for (unsigned i = 0; i < options->hash_count; i++) {
        const struct engine_hash *hash = &options->hashes[i];

        if (!is_plain(hash) && hash->block_size < smallest)
            smallest = hash->block_size;
    }
    return smallest;
}

size_t hashes_block_memory(const struct engine_options *options)
{
    size_t block_size = hashes_block_size(options);
    /* A job has the address of each block. */
    size_t memory =
        block_size / hashes_smallest(options) * sizeof(unsigned char *);

    for (unsigned i = 0; i < options->hash_count; i++) {
        const struct engine_hash *hash = &options->hashes[i];

        if (!is_plain(hash))
            memory += block_size / hash->block_size * BLKHASH_MAX_MD_SIZE;
    }
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

/* What the caller gives is for the first checksum, which has blocks then. Known
 * digests are those of one checksum only, and a part has no other. */
static void check_input(const struct engine_options *options,
                        const struct engine_input *input)
{
    assert(options->hash_count > 0);
    assert(options->hash_count <= ENGINE_MAX_HASHES);
    assert(input->sink_count == 0 || !is_plain(&options->hashes[0]));
    if (input->known || input->is_part)
        assert(options->hash_count == 1 && !is_plain(&options->hashes[0]));
}

int hashes_init(struct hashes *h, const struct engine_options *options,
                const struct engine_input *input, bool is_part,
                size_t slot_blocks)
{
    int err = 0;

    check_input(options, input);
    *h = (struct hashes){
        .block_size = hashes_block_size(options),
        .smallest = hashes_smallest(options),
    };
    for (unsigned i = 0; !err && i < options->hash_count; i++) {
        const struct engine_hash *hash = &options->hashes[i];

        if (is_plain(hash)) {
            struct plain_hash *p = &h->plains[h->plain_count++];

            err = plain_hash_init(p, hash->digest, h->block_size, input->name);
            h->takes_bytes = true;
            h->lanes[h->count++] = &p->lane;
        } else {
            struct block_hash *b = &h->blocks[h->block_count++];

            err = block_hash_init(b, hash, is_part, input->name);
            add_block_hash(h, b, slot_blocks);
        }
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
    for (unsigned i = 0; i < h->plain_count; i++)
        plain_hash_free(&h->plains[i]);
}

int hashes_end(struct hashes *h, uint64_t length, struct engine_sum *sums,
               struct error *error)
{
    int err = 0;

    /* The first has the sinks of the caller, which end only if all is well. */
    for (unsigned i = h->count; !err && i-- > 0;)
        err = h->lanes[i]->end(h->lanes[i], length, &sums[i], error);
    return err;
}
