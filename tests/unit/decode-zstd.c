/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* zstd frames, as encoders make them and as they do not. */
#include "packing.h"

#include <errno.h>
#include <string.h>

#include "common/array.h"

static void test_zstd_frames(void **state)
{
    size_t third = CLUSTER / 3;

    (void)state;
    for (int sizeless = 0; sizeless <= 1; sizeless++) {
        const struct frame f = { .sizeless = sizeless };
        size_t n;

        test_case("sizeless %d", sizeless);
        packed_len = 0;
        put_skippable(3);
        put_frame("", 0, &f);
        put_frame(content, third, &f);
        put_skippable(0);
        n = packed_len;
        assert_int_equal(try(CODEC_ZSTD), EIO);
        put_frame(content + third, CLUSTER - third, &f);
        check(CODEC_ZSTD);
        put_frame(content, 100, &f); /* ignored */
        check(CODEC_ZSTD);
        packed_len = n;
        put_frame(content + third, CLUSTER - third + 1, &f);
        assert_int_equal(try(CODEC_ZSTD), EIO);
    }
    packed_len = 0;
    put_skippable(1000);
    assert_int_equal(try(CODEC_ZSTD), EIO);
    packed_len -= 500;
    assert_int_equal(try(CODEC_ZSTD), EIO);
}

static void test_zstd_checksum(void **state)
{
    (void)state;
    for (int sizeless = 0; sizeless <= 1; sizeless++) {
        test_case("sizeless %d", sizeless);
        packed_len = 0;
        put_frame(content, CLUSTER,
                  &(struct frame){ .sizeless = sizeless, .checksum = true });
        check(CODEC_ZSTD);
        packed_len--; /* the cluster is full, but the frame is not complete */
        assert_int_equal(try(CODEC_ZSTD), EIO);
        packed[packed_len++] ^= 1;
        assert_int_equal(try(CODEC_ZSTD), EIO);
    }
}

/* A frame of runs. */
enum {
    HAS_DICTIONARY = 0x01, /* an id of one byte */
    HAS_CHECKSUM = 0x04,
    HAS_RESERVED = 0x08,
    HAS_UNUSED = 0x10,
    HAS_SIZE = 0x80, /* of four bytes */
};

static void begin_frame(unsigned flags, unsigned window_log, unsigned id)
{
    const unsigned char head[] = { 0x28, 0xb5,  0x2f,
                                   0xfd, flags, (window_log - 10) << 3 };
    const unsigned char dictionary = id;
    static const unsigned char size[] = { 0, 0, 1, 0 };

    packed_len = 0;
    put(head, sizeof(head));
    if (flags & HAS_DICTIONARY)
        put(&dictionary, 1);
    if (flags & HAS_SIZE)
        put(size, sizeof(size));
}

static void put_run(size_t len, bool last)
{
    const size_t head = len << 3 | 1 << 1 | last;
    const unsigned char block[] = { head, head >> 8, head >> 16, 'A' };

    put(block, sizeof(block));
}

static void test_zstd_header(void **state)
{
    static const struct {
        unsigned flags, window_log, dictionary;
        int err;
    } cases[] = {
        { 0, 16, 0, 0 },
        { HAS_SIZE, 16, 0, 0 },
        { 0, 15, 0, EIO }, /* the block is longer than the window */
        { HAS_SIZE, 10, 0, 0 },
        { 0, 27, 0, 0 },
        { 0, 28, 0, EIO },
        { 0, 31, 0, EIO },
        { HAS_SIZE, 28, 0, 0 },
        { HAS_SIZE, 30, 0, 0 },
        /* Where sizes have 32 bits, libzstd has no larger window. */
        { HAS_SIZE, 31, 0, SIZES_ARE_LARGE ? 0 : EIO },
        { HAS_SIZE, 32, 0, EIO },
        { HAS_SIZE, 41, 0, EIO },
        { HAS_DICTIONARY, 16, 0, 0 },
        { HAS_DICTIONARY, 16, 1, EIO },
        { HAS_DICTIONARY | HAS_SIZE, 16, 1, EIO },
        { HAS_CHECKSUM, 16, 0, EIO }, /* which is missing */
        { HAS_CHECKSUM | HAS_SIZE, 16, 0, EIO },
        { HAS_UNUSED, 16, 0, 0 },
        { HAS_RESERVED, 16, 0, EIO },
        { HAS_RESERVED | HAS_SIZE, 16, 0, EIO },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        test_case("case %zu", i);
        begin_frame(cases[i].flags, cases[i].window_log, cases[i].dictionary);
        put_run(CLUSTER, true);
        assert_int_equal(try(CODEC_ZSTD), cases[i].err);
    }
}

/* A full cluster is not enough: the frame must be complete. */
static void test_zstd_last_block(void **state)
{
    (void)state;
    for (int flags = 0; flags <= HAS_SIZE; flags += HAS_SIZE) {
        test_case("flags %#x", (unsigned)flags);
        begin_frame(flags, 16, 0);
        put_run(CLUSTER, false);
        assert_int_equal(try(CODEC_ZSTD), EIO);
        put_run(0, true);
        assert_int_equal(try(CODEC_ZSTD), 0);
        packed_len -= 4;
        put_run(1, true);
        assert_int_equal(try(CODEC_ZSTD), EIO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zstd_frames),
        cmocka_unit_test(test_zstd_checksum),
        cmocka_unit_test(test_zstd_header),
        cmocka_unit_test(test_zstd_last_block),
    };

    return RUN_TESTS(tests, packing_set_up, packing_tear_down);
}
