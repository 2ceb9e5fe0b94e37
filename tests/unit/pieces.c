/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <string.h>

#include "lib/pieces.h"

#define MD 32
#define DEPTH 5

/* The pieces under test. */
static struct pieces pieces;
static struct blkhash_leaf *leaf;
static struct blkhash_root *root;

static void begin(size_t block_size)
{
    leaf = blkhash_leaf_new(block_size, "sha256");
    root = blkhash_root_new(block_size, "sha256");
    assert_non_null(leaf);
    assert_non_null(root);
    assert_int_equal(pieces_init(&pieces, leaf, root, block_size, DEPTH), 0);
}

static void end(void)
{
    pieces_destroy(&pieces);
    blkhash_root_free(root);
    blkhash_leaf_free(leaf);
}

/* A piece has whole blocks, about 256 KiB of data, and at most 4,096 digests.
 */
static void test_size(void **state)
{
    static const struct {
        size_t block_size, size;
    } cases[] = {
        { 1, 4096 },
        { 512, 256 << 10 },
        { 100000, 200000 },
        { 65536, 256 << 10 },
        { BLKHASH_MAX_BLOCK_SIZE, BLKHASH_MAX_BLOCK_SIZE },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        test_case("blocks of %zu", cases[i].block_size);
        begin(cases[i].block_size);
        assert_int_equal(pieces.size, cases[i].size);
        end();
    }
}

/* Hash and commit all pieces, and compare with the oracle. */
static void check(const unsigned char *content, size_t len)
{
    unsigned char md[MD], expected[MD];

    assert_int_equal(pieces_hash(&pieces, 0, DEPTH), 0);
    for (int i = 0; i < DEPTH; i++) {
        struct piece *piece = piece_at(&pieces, i);

        piece->hashed = true;
        assert_int_equal(piece_commit_step(&pieces, piece), 0);
        assert_int_equal(piece->zero_blocks, 0);
    }
    assert_int_equal(blkhash_root_final(root, len, md, NULL), 0);
    oracle_checksum("sha256", pieces.block_size, content, len, expected);
    assert_memory_equal(md, expected, MD);
}

/* Pieces of each number of blocks after one of zeros, copied and not copied.
 * The last one ends within a block. */
static void test_pieces_of_each_length(void **state)
{
    enum { BLOCK = 1000, MAX_BLOCKS = 35 };
    static unsigned char content[DEPTH * (MAX_BLOCKS + 2) * BLOCK];

    (void)state;
    for (size_t blocks = 0; blocks <= MAX_BLOCKS; blocks++) {
        size_t len = 0;

        test_case("%zu blocks", blocks);
        begin(BLOCK);
        for (int i = 0; i < DEPTH; i++) {
            struct piece *piece = piece_at(&pieces, i);
            unsigned char *data = content + len + BLOCK;

            memset(content + len, 0, BLOCK);
            piece->zero_blocks = 1;
            piece->len = blocks * BLOCK + (i == DEPTH - 1 ? 77 : 0);
            random_fill(data, piece->len);
            piece->data = i % 2 ? data : piece->copy;
            memcpy(piece->copy, data, piece->len);
            len += BLOCK + piece->len;
        }
        check(content, len);
        end();
    }
}

/* A long run of zeros is committed in steps. */
static void test_steps(void **state)
{
    struct piece *piece;

    (void)state;
    begin(65536);
    piece = piece_at(&pieces, 0);
    piece->zero_blocks = (1 << 19) + 1;
    piece->hashed = true;
    assert_int_equal(piece_commit_step(&pieces, piece), 0);
    assert_int_equal(piece->zero_blocks, (1 << 18) + 1);
    assert_int_equal(piece_commit_step(&pieces, piece), 0);
    assert_int_equal(piece->zero_blocks, 1);
    assert_int_equal(piece_commit_step(&pieces, piece), 0);
    assert_int_equal(piece->zero_blocks, 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_pieces_of_each_length),
        cmocka_unit_test(test_steps),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
