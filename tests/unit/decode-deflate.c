/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Deflate streams that no encoder makes, written bit by bit. */
#include "packing.h"

#include <errno.h>
#include <string.h>

#include "common/array.h"

static unsigned bit_count; /* in the last byte of the packed cluster */

static void put_bits(unsigned value, unsigned n)
{
    for (unsigned i = 0; i < n; i++, value >>= 1) {
        if (bit_count == 0) {
            assert_true(packed_len < ROOM);
            packed[packed_len++] = 0;
        }
        packed[packed_len - 1] |= (value & 1) << bit_count;
        bit_count = (bit_count + 1) % 8;
    }
}

/* Huffman codes begin with their high bit. */
static void put_code(unsigned code, unsigned n)
{
    while (n--)
        put_bits(code >> n & 1, 1);
}

/* A literal or length, by the fixed code. */
static void put_fixed(unsigned symbol)
{
    if (symbol < 144)
        put_code(0x30 + symbol, 8);
    else if (symbol < 256)
        put_code(0x190 + symbol - 144, 9);
    else if (symbol < 280)
        put_code(symbol - 256, 7);
    else
        put_code(0xc0 + symbol - 280, 8);
}

enum {
    STORED = 0,
    FIXED = 1,
    DYNAMIC = 2,
    RESERVED = 3,
    END_OF_BLOCK = 256,
    LENGTH_3 = 257,
    LENGTH_258 = 285,
};

static void put_block(bool last, unsigned type)
{
    put_bits(last, 1);
    put_bits(type, 2);
}

static void put_stored(bool last, const void *data, unsigned len)
{
    put_block(last, STORED);
    bit_count = 0;
    put_bits(len, 16);
    put_bits(~len, 16);
    put(data, len);
}

static void begin_deflate(void)
{
    packed_len = 0;
    bit_count = 0;
}

/* A fixed block that fills the cluster with A, without its end. */
static void fill_cluster(bool last)
{
    size_t left = CLUSTER - 1;

    begin_deflate();
    put_block(last, FIXED);
    put_fixed('A');
    for (; left >= 258; left -= 258) {
        put_fixed(LENGTH_258);
        put_code(0, 5); /* distance 1 */
    }
    while (left--)
        put_fixed('A');
}

static void put_full_literal(void)
{
    put_fixed('B');
    put_bits(~0U, 32);
}

static void put_full_match(void)
{
    put_fixed(LENGTH_3);
    put_code(0, 5);
}

static void put_full_bad_length(void)
{
    put_fixed(286);
}

static void put_full_bad_distance(void)
{
    put_fixed(LENGTH_3);
    put_code(30, 5);
}

static void put_full_reserved(void)
{
    put_fixed(END_OF_BLOCK);
    put_block(true, RESERVED);
}

static void put_full_stored(void)
{
    put_fixed(END_OF_BLOCK);
    put_stored(true, "B", 1);
}

static void put_full_bad_stored(void)
{
    put_fixed(END_OF_BLOCK);
    put_stored(true, "", 0);
    packed[packed_len - 1] ^= 1;
}

static void put_full_bad_dynamic(void)
{
    put_fixed(END_OF_BLOCK);
    put_block(true, DYNAMIC);
    put_bits(31, 5);
    put_bits(31, 5);
}

static void put_full_end(void)
{
    put_fixed(END_OF_BLOCK);
}

/* In a full cluster, inflate() goes on up to the next output. */
static void test_deflate_after_full(void **state)
{
    static const struct {
        void (*put)(void);
        int err;      /* where the block is not the last */
        int err_last; /* where it is */
    } cases[] = {
        { put_full_literal, 0, 0 },
        { put_full_match, 0, 0 },
        { put_full_stored, 0, 0 },
        { put_full_end, EIO, 0 }, /* zeros: a stored block with no ~0 */
        { put_full_bad_length, EIO, EIO },
        { put_full_bad_distance, EIO, EIO },
        { put_full_reserved, EIO, 0 },
        { put_full_bad_stored, EIO, 0 },
        { put_full_bad_dynamic, EIO, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (int last = 0; last <= 1; last++) {
            test_case("case %zu, last %d", i, last);
            fill_cluster(last);
            cases[i].put();
            put("\0\0\0\0\0\0\0\0\0\0\0", 11);
            assert_int_equal(try(CODEC_DEFLATE),
                             last ? cases[i].err_last : cases[i].err);
            if (last ? cases[i].err_last : cases[i].err)
                continue;
            for (size_t b = 0; b < CLUSTER; b++)
                assert_int_equal(out[b], 'A');
        }
    }
}

/* The input may end without an end of the block. */
static void test_deflate_without_end(void **state)
{
    (void)state;
    for (int last = 0; last <= 1; last++) {
        fill_cluster(last);
        assert_int_equal(try(CODEC_DEFLATE), 0);
    }
    packed_len = 0;
    put_deflate(content, CLUSTER);
    packed_len -= 3;
    assert_int_equal(try(CODEC_DEFLATE), EIO);
}

static void test_deflate_one_stream(void **state)
{
    (void)state;
    packed_len = 0;
    put_deflate(content, CLUSTER / 2);
    put_deflate(content + CLUSTER / 2, CLUSTER / 2);
    assert_int_equal(try(CODEC_DEFLATE), EIO);
}

/* Distances beyond the window of 4 KiB are accepted, but not those beyond the
 * start of the output. */
static void test_deflate_distance(void **state)
{
    (void)state;
    for (unsigned back = 32768; back >= 32767; back--) {
        test_case("distance with %u bytes before it", back);
        begin_deflate();
        put_stored(false, content, back);
        put_block(true, FIXED);
        for (unsigned n = 0; n < CLUSTER - back; n += 256) {
            put_fixed(284); /* 227 and 5 bits more */
            put_bits(29, 5);
            put_code(29, 5); /* 24577 and 13 bits more */
            put_bits(8191, 13);
        }
        put_fixed(END_OF_BLOCK);
        if (back < 32768) {
            assert_int_equal(try(CODEC_DEFLATE), EIO);
            continue;
        }
        assert_int_equal(try(CODEC_DEFLATE), 0);
        assert_memory_equal(out, content, 32768);
        assert_memory_equal(out + 32768, content, 32768);
    }
}

/* A dynamic block with code lengths for A, B, the end and 258, and for the
 * first three distances. The codes for code lengths have 4 or 5 bits: up to 12,
 * the code of the length n is n in 4 bits. */
static void put_dynamic(const unsigned lengths[4], const unsigned distances[3])
{
    begin_deflate();
    put_block(true, DYNAMIC);
    put_bits(286 - 257, 5);
    put_bits(3 - 1, 5);
    put_bits(19 - 4, 4);
    /* 13 codes of 4 bits (0 to 12) and 6 of 5 bits: complete. */
    for (unsigned i = 0; i < 19; i++) {
        static const unsigned char order[19] = { 16, 17, 18, 0,  8, 7,  9,
                                                 6,  10, 5,  11, 4, 12, 3,
                                                 13, 2,  14, 1,  15 };

        put_bits(order[i] <= 12 ? 4 : 5, 3);
    }
    for (unsigned i = 0; i < 286; i++)
        put_code(i == 'A'            ? lengths[0]
                 : i == 'B'          ? lengths[1]
                 : i == END_OF_BLOCK ? lengths[2]
                 : i == LENGTH_258   ? lengths[3]
                                     : 0,
                 4);
    for (unsigned i = 0; i < 3; i++)
        put_code(distances[i], 4);
}

static void test_deflate_codes(void **state)
{
    static const struct {
        unsigned lengths[4];
        unsigned distances[3];
        int err;
    } cases[] = {
        { { 1, 0, 2, 2 }, { 1, 1, 0 }, 0 },   /* complete */
        { { 1, 0, 2, 2 }, { 1, 0, 0 }, 0 },   /* one distance of one bit */
        { { 1, 0, 2, 2 }, { 2, 0, 0 }, EIO }, /* of two */
        { { 1, 0, 2, 2 }, { 2, 2, 2 }, EIO }, /* incomplete */
        { { 1, 0, 2, 2 }, { 1, 1, 1 }, EIO }, /* too many */
        { { 2, 0, 2, 2 }, { 1, 1, 0 }, EIO },
        { { 1, 1, 2, 2 }, { 1, 1, 0 }, EIO },
        { { 1, 2, 0, 2 }, { 1, 1, 0 }, EIO }, /* no end */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t left = CLUSTER - 1;

        test_case("case %zu", i);
        put_dynamic(cases[i].lengths, cases[i].distances);
        put_code(0, 1); /* A */
        for (; left >= 258; left -= 258) {
            put_code(3, 2);
            put_code(0, 1);
        }
        while (left--)
            put_code(0, 1);
        put_code(2, 2); /* the end */
        assert_int_equal(try(CODEC_DEFLATE), cases[i].err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deflate_after_full),
        cmocka_unit_test(test_deflate_without_end),
        cmocka_unit_test(test_deflate_one_stream),
        cmocka_unit_test(test_deflate_distance),
        cmocka_unit_test(test_deflate_codes),
    };

    return RUN_TESTS(tests, packing_set_up, packing_tear_down);
}
