/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * When a stream does its work. Its calls of the leaf and the root go through
 * the test (--wrap).
 */
#include "common/array.h"
#include "test.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "blkhash.h"

#define MD 32
#define GiB (UINT64_C(1) << 30)
#define EiB ((size_t)1 << (SIZES_ARE_LARGE ? 60 : 0))

static atomic_size_t hashed; /* whole blocks */
static atomic_ulong zero_calls;
static _Atomic uint64_t longest; /* run of zero blocks in a call */
static sem_t zeros_begun;

int __real_blkhash_leaf_hashv(struct blkhash_leaf *leaf,
                              const void *const *blocks, size_t count,
                              unsigned char *mds, size_t *zero_blocks);
int __wrap_blkhash_leaf_hashv(struct blkhash_leaf *leaf,
                              const void *const *blocks, size_t count,
                              unsigned char *mds, size_t *zero_blocks);
int __real_blkhash_root_zero(struct blkhash_root *r, uint64_t blocks);
int __wrap_blkhash_root_zero(struct blkhash_root *r, uint64_t blocks);

int __wrap_blkhash_leaf_hashv(struct blkhash_leaf *leaf,
                              const void *const *blocks, size_t count,
                              unsigned char *mds, size_t *zero_blocks)
{
    hashed += count;
    return __real_blkhash_leaf_hashv(leaf, blocks, count, mds, zero_blocks);
}

int __wrap_blkhash_root_zero(struct blkhash_root *r, uint64_t blocks)
{
    if (blocks) {
        zero_calls++;
        if (blocks > longest)
            longest = blocks;
        sem_post(&zeros_begun);
    }
    return __real_blkhash_root_zero(r, blocks);
}

static struct blkhash *new_stream(size_t block_size, unsigned threads)
{
    struct blkhash_options *o = blkhash_options_new("sha256");
    struct blkhash *h;

    blkhash_options_set_block_size(o, block_size);
    blkhash_options_set_threads(o, threads);
    blkhash_options_set_queue_depth(o, 16);
    h = blkhash_new_with_options(o);
    blkhash_options_free(o);
    assert_non_null(h);
    hashed = 0;
    zero_calls = 0;
    longest = 0;
    while (sem_trywait(&zeros_begun) == 0)
        ;
    return h;
}

/* --- one thread --------------------------------------------------------- */

/* Of bytes that are copied, less than 16 blocks and a piece of 256 KiB wait for
 * a later call. */
static void test_one_thread_works_in_the_call(void **state)
{
    static const size_t block_sizes[] = { 512, 4096, 65536 };
    static unsigned char buf[8 << 20];

    (void)state;
    random_fill(buf, sizeof(buf));
    for (size_t i = 0; i < ARRAY_SIZE(block_sizes); i++) {
        size_t block_size = block_sizes[i];
        size_t max = 15 * block_size + 256 * 1024;
        struct blkhash *h = new_stream(block_size, 1);
        unsigned char md[MD], expected[MD];

        test_case("block size %zu", block_size);
        for (size_t done = 0; done < sizeof(buf); done += 4096) {
            assert_int_equal(blkhash_update(h, buf + done, 4096), 0);
            assert_true(done + 4096 - hashed * block_size <= max);
        }
        assert_int_equal(blkhash_final(h, md, NULL), 0);
        blkhash_free(h);
        oracle_checksum("sha256", block_size, buf, sizeof(buf), expected);
        assert_memory_equal(md, expected, MD);
    }
}

/* Bytes that are not copied are hashed when the call returns. */
static void test_one_thread_hashes_in_place(void **state)
{
    static unsigned char buf[3 << 20];
    struct blkhash_completion completion;
    unsigned count;
    struct blkhash *h = new_stream(65536, 1);

    (void)state;
    random_fill(buf, sizeof(buf));
    assert_int_equal(blkhash_update(h, buf, sizeof(buf)), 0);
    assert_int_equal(hashed, sizeof(buf) / 65536);
    assert_int_equal(blkhash_async_update(h, buf, 65536, NULL), 0);
    assert_int_equal(hashed, sizeof(buf) / 65536 + 1);
    assert_int_equal(blkhash_completions(h, &completion, 1, &count), 0);
    assert_int_equal(count, 1);
    blkhash_free(h);
}

/* --- runs of zeros ------------------------------------------------------ */

/* Free a stream while a thread adds zeros to the root that would take days. */
static void test_free_among_zeros(void **state)
{
    static const size_t block_sizes[] = { 1, 512, 65536,
                                          BLKHASH_MAX_BLOCK_SIZE };
    static unsigned char block[BLKHASH_MAX_BLOCK_SIZE];

    (void)state;
    if (!SIZES_ARE_LARGE)
        skip(); /* no call adds so many */
    for (size_t i = 0; i < ARRAY_SIZE(block_sizes); i++) {
        for (unsigned threads = 2; threads <= 3; threads++) {
            struct blkhash *h = new_stream(block_sizes[i], threads);

            test_case("block size %zu, threads %u", block_sizes[i], threads);
            assert_int_equal(blkhash_zero(h, 4 * EiB), 0);
            /* Gives the zeros before it to the threads. */
            assert_int_equal(
                blkhash_async_update(h, block, block_sizes[i], NULL), 0);
            sem_wait(&zeros_begun);
            blkhash_free(h);
            assert_in_range(longest * block_sizes[i], 1, 16 * GiB);
        }
    }
}

/* With one thread, zeros wait until the queue is full or the end: neither a
 * call that adds nor the one that frees works on them. */
static void test_free_zeros_with_one_thread(void **state)
{
    static unsigned char buf[1 << 20];
    struct blkhash *h = new_stream(65536, 1);

    (void)state;
    if (!SIZES_ARE_LARGE) {
        blkhash_free(h);
        skip();
    }
    assert_int_equal(blkhash_zero(h, EiB), 0);
    blkhash_free(h);

    h = new_stream(65536, 1);
    assert_int_equal(blkhash_update(h, "hello", 5), 0);
    assert_int_equal(blkhash_zero(h, EiB), 0);
    assert_int_equal(blkhash_update(h, buf, sizeof(buf)), 0);
    assert_int_equal(blkhash_async_update(h, buf, sizeof(buf), NULL), 0);
    assert_int_equal(blkhash_update(h, "hello", 5), 0);
    blkhash_free(h);
    assert_int_equal(zero_calls, 0);
}

/* Compute the checksum with a root. */
static void expect_zeros(size_t block_size, uint64_t blocks,
                         const unsigned char *tail, unsigned char *md)
{
    struct blkhash_leaf *leaf = blkhash_leaf_new(block_size, "sha256");
    struct blkhash_root *root = blkhash_root_new(block_size, "sha256");
    unsigned char tail_md[MD];

    assert_int_equal(blkhash_leaf_hash(leaf, tail, block_size, tail_md, NULL),
                     0);
    assert_int_equal(__real_blkhash_root_zero(root, blocks), 0);
    assert_int_equal(blkhash_root_digests(root, tail_md, 1), 0);
    assert_int_equal(
        blkhash_root_final(root, (blocks + 1) * block_size, md, NULL), 0);
    blkhash_root_free(root);
    blkhash_leaf_free(leaf);
}

static void check_run(size_t block_size, uint64_t blocks, uint64_t step,
                      unsigned threads)
{
    static unsigned char tail[BLKHASH_MAX_BLOCK_SIZE];
    struct blkhash *h = new_stream(block_size, threads);
    unsigned char md[MD], expected[MD];

    test_case("block size %zu, %llu zero blocks, threads %u", block_size,
              (unsigned long long)blocks, threads);
    memset(tail, 'x', block_size);
    assert_int_equal(blkhash_zero(h, blocks * block_size), 0);
    assert_int_equal(blkhash_update(h, tail, block_size), 0);
    assert_int_equal(blkhash_final(h, md, NULL), 0);
    blkhash_free(h);
    assert_int_equal(zero_calls, (blocks + step - 1) / step);
    expect_zeros(block_size, blocks, tail, expected);
    assert_memory_equal(md, expected, MD);
}

/* Runs of about one step, and of several, are added completely. */
static void test_all_zeros_enter(void **state)
{
    static const struct {
        size_t block_size;
        uint64_t step;
    } cases[] = {
        { 13, 1 << 18 },
        { 65536, 1 << 18 },
        { BLKHASH_MAX_BLOCK_SIZE, 1 << 10 },
    };

    (void)state;
    if (!SIZES_ARE_LARGE)
        skip();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t step = cases[i].step;

        for (unsigned threads = 1; threads <= 2; threads++) {
            check_run(cases[i].block_size, 1, step, threads);
            check_run(cases[i].block_size, step - 1, step, threads);
            check_run(cases[i].block_size, step, step, threads);
            check_run(cases[i].block_size, 3 * step + 1, step, threads);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_thread_works_in_the_call),
        cmocka_unit_test(test_one_thread_hashes_in_place),
        cmocka_unit_test(test_free_among_zeros),
        cmocka_unit_test(test_free_zeros_with_one_thread),
        cmocka_unit_test(test_all_zeros_enter),
    };

    sem_init(&zeros_begun, 0, 0);
    return RUN_TESTS(tests, NULL, NULL);
}
