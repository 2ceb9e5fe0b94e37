/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Both codecs, and damaged clusters, compared with an oracle: zlib and libzstd
 * as QEMU uses them.
 */
#include "packing.h"

#include <errno.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "common/array.h"

static unsigned char expected[LARGE];

static const struct packer {
    enum codec codec;
    void (*put)(const void *data, size_t len);
} packers[] = {
    { CODEC_DEFLATE, put_deflate },
    { CODEC_ZSTD, put_zstd },
    { CODEC_ZSTD, put_sizeless },
};

#define FOR_PACKERS(p)                                                         \
    for (const struct packer *p = packers; p < packers + ARRAY_SIZE(packers);  \
         p++)

static void pack(const struct packer *p, size_t len)
{
    test_case("packer %zu, %zu bytes", (size_t)(p - packers), len);
    packed_len = 0;
    p->put(content, len);
}

/* --- both codecs -------------------------------------------------------- */

/* An image has the length of a cluster in sectors, so other bytes may follow.
 */
static void test_bytes_behind(void **state)
{
    (void)state;
    FOR_PACKERS(p)
    {
        pack(p, CLUSTER);
        check(p->codec);
        memset(packed + packed_len, 0, 512);
        packed_len += 512;
        check(p->codec);
        random_fill(packed + packed_len - 512, 512);
        check(p->codec);
    }
}

static void test_cluster_sizes(void **state)
{
    (void)state;
    FOR_PACKERS(p)
    {
        for (size_t size = 512; size <= LARGE; size *= 2) {
            pack(p, size);
            assert_int_equal(try_length(p->codec, packed_len, size), 0);
            assert_memory_equal(out, content, size);
        }
    }
}

static void test_too_little(void **state)
{
    (void)state;
    FOR_PACKERS(p)
    {
        size_t n;

        pack(p, CLUSTER - 1);
        assert_int_equal(try(p->codec), EIO);
        pack(p, CLUSTER);
        n = packed_len;
        for (packed_len = 0; packed_len < n; packed_len += 1 + n / 50)
            assert_int_equal(try(p->codec), EIO);
    }
}

/* Deflate: what does not fit is ignored. zstd: it is an error. */
static void test_too_much(void **state)
{
    static const size_t more[] = { 1, 2, 257, 258, 259, CLUSTER };

    (void)state;
    FOR_PACKERS(p)
    {
        for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
            pack(p, CLUSTER + more[i]);
            if (p->codec == CODEC_DEFLATE)
                check(p->codec);
            else
                assert_int_equal(try(p->codec), EIO);
        }
    }
}

static void test_no_codec(void **state)
{
    (void)state;
    pack(&packers[0], CLUSTER);
    assert_int_equal(try(CODEC_NONE), EIO);
}

/* --- against the oracle ------------------------------------------------- */

static int oracle_deflate(size_t out_len)
{
    z_stream s = { 0 };
    int result;

    s.next_in = packed;
    s.avail_in = packed_len;
    s.next_out = expected;
    s.avail_out = out_len;
    assert_int_equal(inflateInit2(&s, -12), Z_OK);
    result = inflate(&s, Z_FINISH);
    inflateEnd(&s);
    return s.avail_out == 0 && (result == Z_STREAM_END || result == Z_BUF_ERROR)
               ? 0
               : EIO;
}

static int oracle_zstd(size_t out_len)
{
    ZSTD_DCtx *dctx = ZSTD_createDCtx();
    ZSTD_inBuffer from = { packed, packed_len, 0 };
    ZSTD_outBuffer to = { expected, out_len, 0 };
    size_t wanted = 0, before;

    assert_non_null(dctx);
    do {
        before = from.pos + to.pos;
        wanted = ZSTD_decompressStream(dctx, &to, &from);
    } while (!ZSTD_isError(wanted) && to.pos < out_len &&
             from.pos + to.pos > before);
    ZSTD_freeDCtx(dctx);
    return to.pos == out_len && wanted == 0 ? 0 : EIO;
}

static void compare(enum codec codec, size_t out_len)
{
    bool deflate = codec == CODEC_DEFLATE;
    int want = deflate ? oracle_deflate(out_len) : oracle_zstd(out_len);
    int err = try_length(codec, packed_len, out_len);

    /* libdeflate accepts some streams that zlib refuses. */
    if (!deflate || want == 0)
        assert_int_equal(err, want);
    if (want == 0)
        assert_memory_equal(out, expected, out_len);
}

static void damage(int how)
{
    for (int k = how % 4; k >= 0; k--) {
        size_t at = random_number() % (how % 8 < 4 ? packed_len : 30);

        if (how % 16 >= 12)
            at = packed_len - 1 - at;
        packed[at] ^= 1 << random_number() % 8;
    }
}

/* A damaged cluster is an error, or other bytes, as for QEMU, and never a
 * crash. The decoder can be used afterwards. */
static void test_damage(void **state)
{
    static const size_t lengths[] = { CLUSTER, CLUSTER + 1, 2 * CLUSTER };
    static unsigned char intact[ROOM];

    (void)state;
    FOR_PACKERS(p)
    {
        for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
            pack(p, lengths[i]);
            memcpy(intact, packed, packed_len);
            for (int how = 0; how < 800; how++) {
                damage(how);
                test_case("packer %zu, %zu bytes, damage %d",
                          (size_t)(p - packers), lengths[i], how);
                compare(p->codec, CLUSTER);
                memcpy(packed, intact, packed_len);
            }
        }
        pack(p, CLUSTER);
        check(p->codec);
    }
}

static void test_noise(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        test_case("noise %d", i);
        packed_len = 1 + random_number() % 600;
        random_fill(packed, packed_len);
        compare(CODEC_DEFLATE, 512);
        memcpy(packed, "\x28\xb5\x2f\xfd", packed_len < 4 ? packed_len : 4);
        compare(CODEC_ZSTD, 512);
    }
}

/* Matches from beyond the window, which the library accepts as far as its ring
 * reaches. Earlier use of the decoder must not change the result. */
static void test_zstd_beyond_window(void **state)
{
    const struct frame flushed = { .sizeless = true,
                                   .window_log = 20,
                                   .flush = 1000 };

    (void)state;
    for (size_t period = 100000; period <= 400000; period += 60000) {
        random_fill(content, period);
        memcpy(content + period, content, period);
        for (size_t i = 2 * period; i < LARGE; i++)
            content[i] = content[i - period];
        for (int log = 10; log <= 20; log++) {
            test_case("period %zu, window of %d bits", period, log);
            packed_len = 0;
            put_frame(content, LARGE, &flushed);
            compare(CODEC_ZSTD, LARGE);
            packed[5] = (log - 10) << 3;
            compare(CODEC_ZSTD, LARGE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_behind),
        cmocka_unit_test(test_cluster_sizes),
        cmocka_unit_test(test_too_little),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_no_codec),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_zstd_beyond_window),
    };

    return RUN_TESTS(tests, packing_set_up, packing_tear_down);
}
