/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "image/decode.h"

#define CLUSTER 65536
#define ROOM (2 * CLUSTER)

static unsigned char content[CLUSTER];
static unsigned char packed[ROOM];
static unsigned char out[CLUSTER + 1];
static struct decoder *decoder;

static int set_up(void **state)
{
    (void)state;
    decoder = decoder_new();
    /* Text enough to be packed, noise enough to take some room. */
    for (size_t i = 0; i < CLUSTER; i++)
        content[i] = i % 97 < 60 ? 'a' + i % 15 : random_number() % 256;
    return decoder == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    decoder_free(decoder);
    decoder_free(NULL);
    return 0;
}

static size_t pack_deflate(const void *data, size_t len, unsigned char *to)
{
    z_stream s = { 0 };

    assert_int_equal(
        deflateInit2(&s, 9, Z_DEFLATED, -12, 9, Z_DEFAULT_STRATEGY), Z_OK);
    s.next_in = (void *)(uintptr_t)data;
    s.avail_in = len;
    s.next_out = to;
    s.avail_out = packed + ROOM - to;
    assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
    deflateEnd(&s);
    return s.next_out - to;
}

static size_t pack_zstd(const void *data, size_t len, unsigned char *to)
{
    size_t n = ZSTD_compress(to, packed + ROOM - to, data, len, 1);

    assert_false(ZSTD_isError(n));
    return n;
}

typedef size_t pack_function(const void *data, size_t len, unsigned char *to);

static pack_function *const pack[] = {
    [CODEC_DEFLATE] = pack_deflate,
    [CODEC_ZSTD] = pack_zstd,
};

static int try_decode(enum codec codec, size_t in_len, size_t out_len)
{
    int err;

    memset(out, 0xee, sizeof(out));
    err = decode(decoder, codec, packed, in_len, out, out_len);
    assert_int_equal(out[out_len], 0xee);
    return err;
}

static void check(enum codec codec, size_t in_len)
{
    assert_int_equal(try_decode(codec, in_len, CLUSTER), 0);
    assert_memory_equal(out, content, CLUSTER);
}

/* The length of a cluster is told in sectors: other bytes follow. */
static void test_bytes_behind(void **state)
{
    (void)state;
    for (enum codec c = CODEC_DEFLATE; c <= CODEC_ZSTD; c++) {
        size_t n = pack[c](content, CLUSTER, packed);

        check(c, n);
        memset(packed + n, 0, 512);
        check(c, n + 512);
        random_fill(packed + n, 512);
        check(c, n + 512);
    }
}

static void test_too_little(void **state)
{
    (void)state;
    for (enum codec c = CODEC_DEFLATE; c <= CODEC_ZSTD; c++) {
        size_t n = pack[c](content, CLUSTER - 1, packed);

        assert_int_equal(try_decode(c, n, CLUSTER), EIO);
        n = pack[c](content, CLUSTER, packed);
        for (size_t cut = 0; cut < n; cut += 1 + n / 50)
            assert_int_equal(try_decode(c, cut, CLUSTER), EIO);
        assert_int_equal(try_decode(c, 0, CLUSTER), EIO);
    }
}

/* Deflate: what does not fit is ignored. zstd: it is an error. */
static void test_too_much(void **state)
{
    (void)state;
    for (enum codec c = CODEC_DEFLATE; c <= CODEC_ZSTD; c++) {
        size_t n = pack[c](content, CLUSTER, packed);
        int expected = c == CODEC_DEFLATE ? 0 : EIO;

        assert_int_equal(try_decode(c, n, CLUSTER / 2), expected);
        if (expected == 0)
            assert_memory_equal(out, content, CLUSTER / 2);
    }
}

static void test_deflate_without_end(void **state)
{
    size_t n;

    (void)state;
    /* The last block's end takes 10 bits at most. */
    n = pack_deflate(content, CLUSTER, packed);
    check(CODEC_DEFLATE, n);
    assert_int_equal(try_decode(CODEC_DEFLATE, n - 3, CLUSTER), EIO);
}

static void test_zstd_frames(void **state)
{
    static const unsigned char skippable[] = { 0x50, 0x2a, 0x4d, 0x18, 3, 0,
                                               0,    0,    1,    2,    3 };
    size_t half = CLUSTER / 3;
    size_t n = 0;

    (void)state;
    memcpy(packed, skippable, sizeof(skippable));
    n = sizeof(skippable);
    n += pack_zstd("", 0, packed + n);
    n += pack_zstd(content, half, packed + n);
    memcpy(packed + n, skippable, sizeof(skippable));
    n += sizeof(skippable);
    n += pack_zstd(content + half, CLUSTER - half, packed + n);
    check(CODEC_ZSTD, n);
    n += pack_zstd(content, 100, packed + n);
    check(CODEC_ZSTD, n);
    /* All of it is only found to be missing at the end. */
    assert_int_equal(try_decode(CODEC_ZSTD, sizeof(skippable), CLUSTER), EIO);
}

/* A damaged cluster is an error or other bytes, and never a crash. The decoder
 * is as good as new after it. */
static void test_damage(void **state)
{
    (void)state;
    for (enum codec c = CODEC_DEFLATE; c <= CODEC_ZSTD; c++) {
        size_t n = pack[c](content, CLUSTER, packed);

        for (int i = 0; i < 2000; i++) {
            size_t at = random_number() % n;
            unsigned char before = packed[at];

            packed[at] = random_number();
            try_decode(c, n, CLUSTER);
            packed[at] = before;
        }
        check(c, n);
    }
    assert_int_equal(try_decode(CODEC_NONE, 100, CLUSTER), EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_behind),
        cmocka_unit_test(test_too_little),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_deflate_without_end),
        cmocka_unit_test(test_zstd_frames),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
