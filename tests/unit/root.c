/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "blkhash.h"

#define MD 32
#define SIZE 512

/* Any mixture of digests and runs of zeros gives the checksum of the content.
 */
static void test_mixture(void **state)
{
    enum { BLOCKS = 300 };
    unsigned char *buf = calloc(BLOCKS, SIZE);
    struct blkhash_leaf *leaf = blkhash_leaf_new(SIZE, "sha256");

    (void)state;
    for (int round = 0; round < 20; round++) {
        struct blkhash_root *root = blkhash_root_new(SIZE, "sha256");
        unsigned char md[MD], expected[MD];
        unsigned len = 0;

        test_case("round %d", round);
        memset(buf, 0, BLOCKS * SIZE);
        for (size_t b = 0; b < BLOCKS;) {
            size_t n = random_number() % 40;
            unsigned char mds[40 * MD];

            if (n > BLOCKS - b)
                n = BLOCKS - b;
            if (random_number() % 2) {
                assert_int_equal(blkhash_root_zero(root, n), 0);
            } else {
                random_fill(buf + b * SIZE, n * SIZE);
                blkhash_leaf_hash(leaf, buf + b * SIZE, n * SIZE, mds, NULL);
                assert_int_equal(blkhash_root_digests(root, mds, n), 0);
            }
            b += n;
        }
        assert_int_equal(blkhash_root_final(root, BLOCKS * SIZE, md, &len), 0);
        assert_int_equal(len, MD);
        oracle_checksum("sha256", SIZE, buf, BLOCKS * SIZE, expected);
        assert_memory_equal(md, expected, MD);
        blkhash_root_free(root);
    }
    blkhash_leaf_free(leaf);
    free(buf);
}

/* The length must fit the number of blocks. */
static void test_length_fits_blocks(void **state)
{
    struct blkhash_root *root = blkhash_root_new(SIZE, "sha256");
    unsigned char md[MD];

    (void)state;
    assert_int_equal(blkhash_root_zero(root, 3), 0);
    assert_int_equal(blkhash_root_final(root, 2 * SIZE, md, NULL), EINVAL);
    assert_int_equal(blkhash_root_final(root, 3 * SIZE + 1, md, NULL), EINVAL);
    assert_int_equal(blkhash_root_final(root, 2 * SIZE + 1, md, NULL), 0);
    blkhash_root_free(root);
}

/* 2^63 - 1 bytes in the largest blocks: nothing overflows. */
static void test_longest(void **state)
{
    struct blkhash_root *root =
        blkhash_root_new(BLKHASH_MAX_BLOCK_SIZE, "sha256");
    uint64_t blocks = INT64_MAX / BLKHASH_MAX_BLOCK_SIZE + 1;
    unsigned char md[MD];

    (void)state;
    assert_int_equal(blkhash_root_final(root, UINT64_MAX, md, NULL), EINVAL);
    assert_int_equal(
        blkhash_root_final(root, (uint64_t)INT64_MAX + 1, md, NULL), EINVAL);
    assert_int_equal(blkhash_root_zero(root, 1), 0);
    assert_int_equal(blkhash_root_zero(root, UINT64_MAX), EOVERFLOW);
    assert_int_equal(blkhash_root_zero(root, blocks), EOVERFLOW);
    if (SIZES_ARE_LARGE)
        assert_int_equal(blkhash_root_digests(root, md, blocks), EOVERFLOW);
    assert_int_equal(blkhash_root_digests(root, md, SIZE_MAX), EINVAL);
    assert_int_equal(blkhash_root_final(root, INT64_MAX, md, NULL), EINVAL);
    assert_true(blocks == UINT64_C(1) << 39);
    blkhash_root_free(root);
}

/* A little more than 2^48 bytes: the length needs seven of its eight bytes. The
 * digests are made up, 1 MiB at a time.
 */
static void test_long(void **state)
{
    enum { COUNT = 1 << 15 };
    const uint64_t block = BLKHASH_MAX_BLOCK_SIZE;
    const uint64_t blocks = (UINT64_C(1) << 48) / block + COUNT;
    const uint64_t length = blocks * block - 7;
    struct blkhash_root *root = blkhash_root_new(block, "sha256");
    unsigned char *mds = malloc(COUNT * MD);
    unsigned char md[MD], expected[MD], le64[8];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    (void)state;
    random_fill(mds, COUNT * MD);
    EVP_DigestInit(ctx, EVP_sha256());
    for (uint64_t i = 0; i < blocks; i += COUNT) {
        assert_int_equal(blkhash_root_digests(root, mds, COUNT), 0);
        EVP_DigestUpdate(ctx, mds, COUNT * MD);
    }
    for (int i = 0; i < 8; i++)
        le64[i] = length >> 8 * i & 0xff;
    EVP_DigestUpdate(ctx, le64, 8);
    EVP_DigestFinal(ctx, expected, NULL);
    assert_int_equal(blkhash_root_final(root, length, md, NULL), 0);
    assert_memory_equal(md, expected, MD);
    EVP_MD_CTX_free(ctx);
    blkhash_root_free(root);
    free(mds);
}

static void test_wrong_arguments(void **state)
{
    struct blkhash_root *root = blkhash_root_new(SIZE, "sha256");
    unsigned char md[MD];

    (void)state;
    assert_null(blkhash_root_new(0, "sha256"));
    assert_int_equal(errno, EINVAL);
    assert_null(blkhash_root_new(BLKHASH_MAX_BLOCK_SIZE + 1, "sha256"));
    assert_int_equal(errno, EINVAL);
    assert_null(blkhash_root_new(SIZE, NULL));
    assert_int_equal(errno, EINVAL);
    assert_null(blkhash_root_new(SIZE, "no-such-digest"));
    assert_int_equal(errno, ENOTSUP);

    assert_int_equal(blkhash_root_digests(NULL, md, 1), EINVAL);
    assert_int_equal(blkhash_root_digests(root, NULL, 1), EINVAL);
    assert_int_equal(blkhash_root_zero(NULL, 1), EINVAL);
    assert_int_equal(blkhash_root_final(NULL, 0, md, NULL), EINVAL);
    assert_int_equal(blkhash_root_final(root, 0, NULL, NULL), EINVAL);
    assert_int_equal(blkhash_root_final(root, 0, md, NULL), 0);
    assert_int_equal(blkhash_root_final(root, 0, md, NULL), EINVAL);
    assert_int_equal(blkhash_root_zero(root, 1), EINVAL);
    assert_int_equal(blkhash_root_digests(root, md, 1), EINVAL);
    blkhash_root_free(root);
    blkhash_root_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixture),
        cmocka_unit_test(test_length_fits_blocks),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_wrong_arguments),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
