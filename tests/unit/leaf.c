/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common/array.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "blkhash.h"

#define MD 32
#define BLOCKS 50

static void fill(unsigned char *buf, size_t block_size, size_t len,
                 size_t *zero_blocks)
{
    *zero_blocks = 0;
    random_fill(buf, len);
    for (size_t b = 0; (b + 1) * block_size <= len; b++) {
        switch (random_number() % 4) {
        case 0: /* zeros */
            memset(buf + b * block_size, 0, block_size);
            ++*zero_blocks;
            break;
        case 1: /* zeros, except for the last byte */
            memset(buf + b * block_size, 0, block_size);
            buf[(b + 1) * block_size - 1] = 1;
            break;
        default:
            buf[b * block_size] |= 1;
        }
    }
}

/* The digests of any number of blocks, with zero blocks among them and a short
 * one at the end. */
static void test_blocks_and_rest(void **state)
{
    static const size_t sizes[] = { 1, 63, 64, 512, 1000, 4096 };
    static unsigned char buf[BLOCKS * 4096];
    unsigned char mds[BLOCKS * MD], expected[MD];

    (void)state;
    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        size_t size = sizes[s];
        struct blkhash_leaf *leaf = blkhash_leaf_new(size, "sha256");

        assert_non_null(leaf);
        assert_int_equal(blkhash_leaf_md_size(leaf), MD);
        assert_non_null(blkhash_leaf_kernel(leaf));
        for (size_t blocks = 0; blocks < BLOCKS; blocks++) {
            size_t len = blocks * size + random_number() % size;
            size_t zeros, found;

            test_case("block size %zu, length %zu", size, len);
            fill(buf, size, len, &zeros);
            assert_int_equal(blkhash_leaf_hash(leaf, buf, len, mds, &found), 0);
            assert_int_equal(found, zeros);
            for (size_t b = 0; b * size < len; b++) {
                size_t n = len - b * size < size ? len - b * size : size;

                oracle_digest("sha256", buf + b * size, n, expected);
                assert_memory_equal(mds + b * MD, expected, MD);
            }
        }
        blkhash_leaf_free(leaf);
    }
}

/* Blocks in no order, some of them more than once. */
static void test_scattered_blocks(void **state)
{
    enum { SIZE = 1024 };
    static unsigned char buf[BLOCKS * SIZE];
    struct blkhash_leaf *leaf = blkhash_leaf_new(SIZE, "sha256");
    const void *blocks[BLOCKS];
    unsigned char mds[BLOCKS * MD], expected[MD];
    size_t zeros;

    (void)state;
    fill(buf, SIZE, sizeof(buf), &zeros);
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = buf + random_number() % BLOCKS * SIZE;
    for (size_t count = 0; count <= BLOCKS; count++) {
        test_case("%zu blocks", count);
        assert_int_equal(blkhash_leaf_hashv(leaf, blocks, count, mds, NULL), 0);
        for (size_t i = 0; i < count; i++) {
            oracle_digest("sha256", blocks[i], SIZE, expected);
            assert_memory_equal(mds + i * MD, expected, MD);
        }
    }
    blkhash_leaf_free(leaf);
}

enum { SHARED_BLOCKS = 20, SHARED_SIZE = 512 };

/* A thread, and the bytes that it hashes. */
struct user {
    struct blkhash_leaf *leaf;
    unsigned char buf[SHARED_BLOCKS * SHARED_SIZE];
    unsigned char expected[SHARED_BLOCKS * BLKHASH_MAX_MD_SIZE];
    pthread_t thread;
};

static void *hash_often(void *arg)
{
    struct user *user = arg;
    size_t size = SHARED_BLOCKS * blkhash_leaf_md_size(user->leaf);
    unsigned char mds[SHARED_BLOCKS * BLKHASH_MAX_MD_SIZE];

    for (int i = 0; i < 200; i++) {
        if (blkhash_leaf_hash(user->leaf, user->buf, sizeof(user->buf), mds,
                              NULL) ||
            memcmp(mds, user->expected, size) != 0)
            return arg;
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    static const char *const digests[] = { "sha256", "sha512" };

    (void)state;
    for (int d = 0; d < 2; d++) {
        struct blkhash_leaf *leaf = blkhash_leaf_new(SHARED_SIZE, digests[d]);
        static struct user users[8];
        void *bad;

        test_case("%s", digests[d]);
        for (int i = 0; i < 8; i++) {
            struct user *user = &users[i];
            size_t md_size = blkhash_leaf_md_size(leaf);

            user->leaf = leaf;
            random_fill(user->buf, sizeof(user->buf));
            for (size_t b = 0; b < SHARED_BLOCKS; b++)
                oracle_digest(digests[d], user->buf + b * SHARED_SIZE,
                              SHARED_SIZE, user->expected + b * md_size);
        }
        for (int i = 0; i < 8; i++)
            assert_int_equal(
                pthread_create(&users[i].thread, NULL, hash_often, &users[i]),
                0);
        for (int i = 0; i < 8; i++) {
            pthread_join(users[i].thread, &bad);
            assert_null(bad);
        }
        blkhash_leaf_free(leaf);
    }
}

static void test_wrong_arguments(void **state)
{
    struct blkhash_leaf *leaf = blkhash_leaf_new(512, "sha256");
    unsigned char md[MD], buf[512] = { 0 };

    (void)state;
    assert_null(blkhash_leaf_new(0, "sha256"));
    assert_int_equal(errno, EINVAL);
    assert_null(blkhash_leaf_new(BLKHASH_MAX_BLOCK_SIZE + 1, "sha256"));
    assert_int_equal(errno, EINVAL);
    assert_null(blkhash_leaf_new(512, NULL));
    assert_int_equal(errno, EINVAL);
    assert_null(blkhash_leaf_new(512, "no-such-digest"));
    assert_int_equal(errno, ENOTSUP);

    assert_int_equal(blkhash_leaf_hash(NULL, buf, 512, md, NULL), EINVAL);
    assert_int_equal(blkhash_leaf_hash(leaf, NULL, 512, md, NULL), EINVAL);
    assert_int_equal(blkhash_leaf_hash(leaf, buf, 512, NULL, NULL), EINVAL);
    assert_int_equal(blkhash_leaf_hash(leaf, NULL, 0, NULL, NULL), 0);
    assert_int_equal(
        blkhash_leaf_hashv(leaf, (const void *[]){ buf, NULL }, 2, md, NULL),
        EINVAL);
    assert_int_equal(blkhash_leaf_hashv(NULL, NULL, 1, md, NULL), EINVAL);
    assert_int_equal(blkhash_leaf_hashv(leaf, NULL, 1, md, NULL), EINVAL);
    assert_int_equal(blkhash_leaf_md_size(NULL), 0);
    assert_null(blkhash_leaf_kernel(NULL));
    blkhash_leaf_free(NULL);
    blkhash_leaf_free(leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_and_rest),
        cmocka_unit_test(test_scattered_blocks),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_wrong_arguments),
    };

    return RUN_WITH_KERNEL(tests);
}
