/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <string.h>

#include "common/units.h"
#include "engine/job.h"
#include "engine/sizes.h"

/* docs/architecture.md: less than this beside workers x depth x slot. */
#define MEMORY_LIMIT (256 * MiB)

static const struct engine_options defaults = {
    .threads = 4,
    .queue_depth = 8,
    .read_size = MiB,
    .hashes = { { .digest = "sha256", .block_size = 64 * KiB } },
    .hash_count = 1,
};

static struct sizes choose(const struct engine_options *o, uint64_t size,
                           uint32_t largest_cluster)
{
    struct image image = { .size = size, .largest_cluster = largest_cluster };
    struct sizes s;

    sizes_choose(&s, o, &image);
    return s;
}

static void test_defaults(void **state)
{
    struct sizes s = choose(&defaults, 100 * GiB, 0);

    (void)state;
    assert_int_equal(s.threads, 4);
    assert_int_equal(s.queue_depth, 8);
    assert_int_equal(s.slot_blocks, 16);
    assert_int_equal(s.slot_size, MiB);
    sizes_choose(&s, &defaults, NULL);
    assert_int_equal(s.threads, 4);
    assert_int_equal(s.slot_size, MiB);
}

/* A thread for each slot, and one for an empty image. */
static void test_small_images(void **state)
{
    (void)state;
    assert_int_equal(choose(&defaults, 0, 0).threads, 1);
    assert_int_equal(choose(&defaults, 512, 0).threads, 1);
    assert_int_equal(choose(&defaults, MiB + 512, 0).threads, 2);
    assert_int_equal(choose(&defaults, 4 * MiB, 0).threads, 4);
}

/* A cluster fits in a slot, and direct I/O can read slots as they are. */
static void test_slots(void **state)
{
    static const size_t blocks[] = { 512, 1536, 4096, 66048, 16 * MiB };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
        struct engine_options o = defaults;
        struct sizes s;

        test_case("block of %zu bytes", blocks[i]);
        o.hashes[0].block_size = blocks[i];
        s = choose(&o, 100 * GiB, 2 * MiB);
        assert_true(s.slot_size >= 2 * MiB);
        assert_int_equal(s.slot_size, s.slot_blocks * blocks[i]);
        assert_int_equal(s.slot_size % 4096, 0);
        assert_true(s.round_size >= job_min_round(2 * MiB));
    }
}

static struct engine_options random_options(void)
{
    struct engine_options o = {
        .threads = 1 + random_number() % ENGINE_MAX_THREADS,
        .queue_depth = 1 + random_number() % ENGINE_MAX_QUEUE_DEPTH,
        .read_size = ENGINE_MIN_READ_SIZE << random_number() % 15,
        .hash_count =
            random_number() % 2 ? 1 : 1 + random_number() % ENGINE_MAX_HASHES,
    };

    for (unsigned i = 0; i < o.hash_count; i++)
        o.hashes[i].block_size = (size_t)512 << random_number() % 16;
    return o;
}

static size_t largest_block(const struct engine_options *o)
{
    size_t largest = 0;

    for (unsigned i = 0; i < o->hash_count; i++) {
        if (o->hashes[i].block_size > largest)
            largest = o->hashes[i].block_size;
    }
    return largest;
}

static size_t digest_memory(const struct engine_options *o, size_t slot_size)
{
    size_t memory = 0;

    for (unsigned i = 0; i < o->hash_count; i++)
        memory += slot_size / o->hashes[i].block_size * BLKHASH_MAX_MD_SIZE;
    return memory;
}

/* Whatever the options and the image, memory is bounded. */
static void test_memory(void **state)
{
    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct engine_options o = random_options();
        size_t block = largest_block(&o);
        uint32_t cluster =
            random_number() % 2 ? 512U << random_number() % 13 : 0;
        uint64_t asked, jobs, used;
        struct sizes s;

        test_case("threads %u, depth %u, read size %zu, hashes %u, block %zu, "
                  "cluster %u",
                  o.threads, o.queue_depth, o.read_size, o.hash_count, block,
                  cluster);
        s = choose(&o, UINT64_C(1) << 50, cluster);
        assert_in_range(s.threads, 1, o.threads);
        assert_in_range(s.queue_depth, 1, o.queue_depth);
        assert_int_equal(s.slot_size, s.slot_blocks * block);

        asked = o.read_size > block ? o.read_size : block;
        asked *= (uint64_t)o.threads * o.queue_depth;
        jobs = (uint64_t)s.threads * s.queue_depth;
        used = jobs * (s.slot_size + s.round_size + job_list_size(block) +
                       digest_memory(&o, s.slot_size) +
                       s.known_blocks * BLKHASH_MAX_MD_SIZE);
        if (cluster)
            used += jobs * job_cluster_list_size(s.slot_size) +
                    (uint64_t)s.threads * cluster;
        assert_true(used < asked + MEMORY_LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_small_images),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_memory),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
