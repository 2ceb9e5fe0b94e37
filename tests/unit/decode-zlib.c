/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Grains of VMDK, compared with an oracle: zlib's uncompress(), as QEMU calls
 * it.
 */
#include "packing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "common/array.h"

#define MARKER 12

static struct decoder *zlib_decoder;
static unsigned char expected[CLUSTER];

static int set_up(void **state)
{
    zlib_decoder = decoder_new();
    return zlib_decoder ? packing_set_up(state) : -1;
}

static int tear_down(void **state)
{
    decoder_free(zlib_decoder);
    return packing_tear_down(state);
}

static void pack_stream(size_t len, int level)
{
    uLongf room = ROOM;

    assert_int_equal(compress2(packed, &room, content, len, level), Z_OK);
    packed_len = room;
}

/* What QEMU says of in_len bytes at in, of which needed decoded ones are read.
 */
static int oracle(const unsigned char *in, size_t in_len, size_t needed)
{
    uLongf len = CLUSTER;

    if (uncompress(expected, &len, in, in_len) != Z_OK)
        return EIO;
    return needed <= len ? 0 : EIO;
}

/* Decode from a buffer of exactly this size, so that sanitizers find overruns.
 */
static int try_needed(enum codec codec, const unsigned char *in, size_t in_len,
                      size_t needed)
{
    unsigned char *copy = malloc(in_len ? in_len : 1);
    int err;

    assert_non_null(copy);
    memcpy(copy, in, in_len);
    memset(out, 0xee, sizeof(out));
    err = decode(zlib_decoder, codec, copy, in_len, out, CLUSTER, needed);
    assert_int_equal(out[CLUSTER], 0xee);
    free(copy);
    return err;
}

static void compare(const unsigned char *in, size_t in_len, size_t needed)
{
    int err = oracle(in, in_len, needed);

    assert_int_equal(try_needed(CODEC_ZLIB, in, in_len, needed), err);
    if (!err)
        assert_memory_equal(out, expected, needed);
}

static void test_lengths(void **state)
{
    static const size_t lengths[] = { 0,       1,           511,
                                      512,     32768,       CLUSTER - 1,
                                      CLUSTER, CLUSTER + 1, 2 * CLUSTER };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        for (int level = 0; level <= 9; level++) {
            test_case("%zu bytes, level %d", lengths[i], level);
            pack_stream(lengths[i], level);
            for (size_t j = 0; j < ARRAY_SIZE(lengths) && lengths[j] <= CLUSTER;
                 j++)
                compare(packed, packed_len, lengths[j]);
        }
    }
}

static void test_cut(void **state)
{
    (void)state;
    pack_stream(CLUSTER, 6);
    for (size_t len = 0; len <= packed_len; len += 1 + packed_len / 200)
        compare(packed, len, 1);
    for (size_t less = 0; less < 12; less++)
        compare(packed, packed_len - less, CLUSTER);
    random_fill(packed + packed_len, 100);
    compare(packed, packed_len + 100, CLUSTER);
}

/* Each bit of the header and of the checksum, and some of the rest. */
static void test_damaged(void **state)
{
    size_t bits;

    (void)state;
    pack_stream(CLUSTER, 6);
    bits = packed_len * 8;
    for (size_t bit = 0; bit < bits;
         bit += bit < 64 || bit > bits - 64 ? 1 : 997) {
        test_case("bit %zu", bit);
        packed[bit / 8] ^= 1 << bit % 8;
        compare(packed, packed_len, CLUSTER);
        packed[bit / 8] ^= 1 << bit % 8;
    }
    compare(packed, packed_len, CLUSTER);
}

static void set_marker(uint32_t size)
{
    memset(packed, 0xaa, MARKER);
    for (int i = 0; i < 4; i++)
        packed[8 + i] = size >> 8 * i;
}

static void test_marker(void **state)
{
    size_t len;

    (void)state;
    pack_stream(CLUSTER, 6);
    len = packed_len;
    memmove(packed + MARKER, packed, len);
    memset(packed + MARKER + len, 0, 3 * CLUSTER - len);
    set_marker(len);
    assert_int_equal(
        try_needed(CODEC_ZLIB_MARKED, packed, MARKER + len, CLUSTER), 0);
    assert_memory_equal(out, content, CLUSTER);
    /* Up to two clusters, if they are there. */
    set_marker(2 * CLUSTER);
    assert_int_equal(
        try_needed(CODEC_ZLIB_MARKED, packed, MARKER + 2 * CLUSTER, CLUSTER),
        0);
    assert_int_equal(try_needed(CODEC_ZLIB_MARKED, packed,
                                MARKER + 2 * CLUSTER - 1, CLUSTER),
                     EIO);
    set_marker(2 * CLUSTER + 1);
    assert_int_equal(
        try_needed(CODEC_ZLIB_MARKED, packed, 3 * CLUSTER, CLUSTER), EIO);
    set_marker(0);
    assert_int_equal(try_needed(CODEC_ZLIB_MARKED, packed, 3 * CLUSTER, 1),
                     EIO);
    set_marker(len - 1);
    assert_int_equal(try_needed(CODEC_ZLIB_MARKED, packed, 3 * CLUSTER, 1),
                     EIO);
    for (size_t there = 0; there <= MARKER; there++)
        assert_int_equal(try_needed(CODEC_ZLIB_MARKED, packed, there, 1), EIO);
}

static size_t input_length(enum codec codec, size_t in_len)
{
    return decode_input_length(codec, packed, in_len, CLUSTER);
}

static void test_input_length(void **state)
{
    (void)state;
    set_marker(1000);
    assert_int_equal(input_length(CODEC_DEFLATE, 5), 5);
    assert_int_equal(input_length(CODEC_ZLIB, 5), 5);
    assert_int_equal(input_length(CODEC_ZLIB_MARKED, 5), MARKER);
    assert_int_equal(input_length(CODEC_ZLIB_MARKED, 12), 1000 + MARKER);
    assert_int_equal(input_length(CODEC_ZLIB_MARKED, 1011), 1000 + MARKER);
    assert_int_equal(input_length(CODEC_ZLIB_MARKED, 5000), 5000);
    set_marker(2 * CLUSTER);
    assert_int_equal(input_length(CODEC_ZLIB_MARKED, 100),
                     2 * CLUSTER + MARKER);
    set_marker(2 * CLUSTER + 1);
    assert_int_equal(input_length(CODEC_ZLIB_MARKED, 100), 100);
    set_marker(UINT32_MAX);
    assert_int_equal(input_length(CODEC_ZLIB_MARKED, 100), 100);
}

/* Raw deflate uses the same context of zlib, with another window. */
static void test_in_turns(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        pack_stream(CLUSTER / 2, 6);
        packed[packed_len - 1] ^= 1;
        compare(packed, packed_len, 1);
        packed_len = 0;
        put_deflate(content, CLUSTER + 1);
        assert_int_equal(try_needed(CODEC_DEFLATE, packed, packed_len, CLUSTER),
                         0);
        assert_memory_equal(out, content, CLUSTER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),      cmocka_unit_test(test_cut),
        cmocka_unit_test(test_damaged),      cmocka_unit_test(test_marker),
        cmocka_unit_test(test_input_length), cmocka_unit_test(test_in_turns),
    };

    return RUN_TESTS(tests, set_up, tear_down);
}
