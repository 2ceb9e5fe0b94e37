/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The oracle here is QEMU's use of zlib and libzstd. Streams that no encoder
 * makes are written bit by bit; what is expected of them was tried with
 * qemu-img 7.2.
 */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

#include "image/decode.h"

#define CLUSTER 65536
#define LARGE (2 << 20) /* the largest cluster */
#define ROOM (2 * LARGE)

static unsigned char content[LARGE];
static unsigned char packed[ROOM];
static size_t packed_len;
static unsigned char out[LARGE + 1];
static unsigned char expected[LARGE];
static struct decoder *decoder;

static int set_up(void **state)
{
    (void)state;
    decoder = decoder_new();
    /* Text enough to be packed, noise enough to take some room. */
    random_fill(content, LARGE);
    for (size_t i = 0; i < LARGE; i++) {
        if (i % 97 < 60)
            content[i] = "a guest's data "[i % 15];
    }
    return decoder == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    decoder_free(decoder);
    decoder_free(NULL);
    return 0;
}

/* --- what is decoded ---------------------------------------------------- */

static int try_length(enum codec codec, size_t in_len, size_t out_len)
{
    /* A place of its own, so that sanitizers see a byte too far. */
    unsigned char *in = malloc(in_len ? in_len : 1);
    int err;

    assert_non_null(in);
    memcpy(in, packed, in_len);
    memset(out, 0xee, sizeof(out));
    err = decode(decoder, codec, in, in_len, out, out_len);
    assert_int_equal(out[out_len], 0xee);
    free(in);
    return err;
}

static int try(enum codec codec)
{
    return try_length(codec, packed_len, CLUSTER);
}

static void check(enum codec codec)
{
    assert_int_equal(try(codec), 0);
    assert_memory_equal(out, content, CLUSTER);
}

/* --- packing ------------------------------------------------------------ */

static void put(const void *bytes, size_t len)
{
    assert_true(packed_len + len <= ROOM);
    memcpy(packed + packed_len, bytes, len);
    packed_len += len;
}

static void put_deflate(const void *data, size_t len)
{
    z_stream s = { 0 };

    assert_int_equal(
        deflateInit2(&s, 9, Z_DEFLATED, -12, 9, Z_DEFAULT_STRATEGY), Z_OK);
    s.next_in = (void *)(uintptr_t)data;
    s.avail_in = len;
    s.next_out = packed + packed_len;
    s.avail_out = ROOM - packed_len;
    assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
    packed_len = s.next_out - packed;
    deflateEnd(&s);
}

struct frame {
    bool sizeless; /* does not tell the size of its content */
    bool checksum;
    int window_log; /* 0: the encoder's choice */
    size_t flush;   /* end a block after so many bytes; 0: as it comes */
};

static void put_frame(const void *data, size_t len, const struct frame *f)
{
    ZSTD_CCtx *cctx = ZSTD_createCCtx();
    ZSTD_outBuffer to = { packed, ROOM, packed_len };
    ZSTD_inBuffer from = { data, 0, 0 };

    assert_non_null(cctx);
    ZSTD_CCtx_setParameter(cctx, ZSTD_c_contentSizeFlag, !f->sizeless);
    ZSTD_CCtx_setParameter(cctx, ZSTD_c_checksumFlag, f->checksum);
    ZSTD_CCtx_setParameter(cctx, ZSTD_c_windowLog, f->window_log);
    while (f->flush && len - from.size > f->flush) {
        from.size += f->flush;
        assert_int_equal(ZSTD_compressStream2(cctx, &to, &from, ZSTD_e_flush),
                         0);
    }
    from.size = len;
    assert_int_equal(ZSTD_compressStream2(cctx, &to, &from, ZSTD_e_end), 0);
    packed_len = to.pos;
    ZSTD_freeCCtx(cctx);
}

static void put_zstd(const void *data, size_t len)
{
    put_frame(data, len, &(struct frame){ 0 });
}

static void put_sizeless(const void *data, size_t len)
{
    put_frame(data, len, &(struct frame){ .sizeless = true });
}

static void put_skippable(size_t len)
{
    unsigned char head[] = { 0x5e, 0x2a, 0x4d, 0x18, len, len >> 8, 0, 0 };

    put(head, sizeof(head));
    put(content, len);
}

static const struct packer {
    enum codec codec;
    void (*put)(const void *data, size_t len);
} packers[] = {
    { CODEC_DEFLATE, put_deflate },
    { CODEC_ZSTD, put_zstd },
    { CODEC_ZSTD, put_sizeless },
};

#define FOR_PACKERS(p)                                                         \
    for (const struct packer *p = packers;                                     \
         p < packers + sizeof(packers) / sizeof(*packers); p++)

static void pack(const struct packer *p, size_t len)
{
    packed_len = 0;
    p->put(content, len);
}

/* --- both codecs -------------------------------------------------------- */

/* The length of a cluster is told in sectors: other bytes follow. */
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
        for (size_t i = 0; i < sizeof(more) / sizeof(*more); i++) {
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

/* --- deflate, bit by bit ------------------------------------------------ */

static unsigned bit_count; /* in the last byte of what is packed */

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

/* Huffman codes come with their first bit first. */
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

/* inflate() goes on until something would be written. */
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
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        for (int last = 0; last <= 1; last++) {
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

/* The end may be missing where the input ends. */
static void test_deflate_without_end(void **state)
{
    (void)state;
    for (int last = 0; last <= 1; last++) {
        fill_cluster(last);
        assert_int_equal(try(CODEC_DEFLATE), 0);
    }
    pack(&packers[0], CLUSTER);
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

/* The window of 4 KiB does not matter; what was not yet written does. */
static void test_deflate_distance(void **state)
{
    (void)state;
    for (unsigned back = 32768; back >= 32767; back--) {
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

/* A dynamic block: lengths of the codes for A, B, the end and 258, and of the
 * first three distances. Lengths of lengths are all of 4 or 5 bits: the length
 * n has the 4-bit code n, up to 12. */
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
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t left = CLUSTER - 1;

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

/* --- zstd --------------------------------------------------------------- */

static void test_zstd_frames(void **state)
{
    size_t third = CLUSTER / 3;

    (void)state;
    for (int sizeless = 0; sizeless <= 1; sizeless++) {
        const struct frame f = { .sizeless = sizeless };
        size_t n;

        packed_len = 0;
        put_skippable(3);
        put_frame("", 0, &f);
        put_frame(content, third, &f);
        put_skippable(0);
        n = packed_len;
        assert_int_equal(try(CODEC_ZSTD), EIO);
        put_frame(content + third, CLUSTER - third, &f);
        check(CODEC_ZSTD);
        put_frame(content, 100, &f); /* not looked at */
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
        { HAS_SIZE, 31, 0, 0 },
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
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        begin_frame(cases[i].flags, cases[i].window_log, cases[i].dictionary);
        put_run(CLUSTER, true);
        assert_int_equal(try(CODEC_ZSTD), cases[i].err);
    }
}

/* A full cluster is not enough: the frame has to end. */
static void test_zstd_last_block(void **state)
{
    (void)state;
    for (int flags = 0; flags <= HAS_SIZE; flags += HAS_SIZE) {
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

    /* libdeflate takes some streams that zlib refuses. */
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

/* A damaged cluster is an error or other bytes, the same as for QEMU, and never
 * a crash. The decoder is as good as new after it. */
static void test_damage(void **state)
{
    static const size_t lengths[] = { CLUSTER, CLUSTER + 1, 2 * CLUSTER };
    static unsigned char intact[ROOM];

    (void)state;
    FOR_PACKERS(p)
    {
        for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
            pack(p, lengths[i]);
            memcpy(intact, packed, packed_len);
            for (int how = 0; how < 800; how++) {
                damage(how);
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
        packed_len = 1 + random_number() % 600;
        random_fill(packed, packed_len);
        compare(CODEC_DEFLATE, 512);
        memcpy(packed, "\x28\xb5\x2f\xfd", packed_len < 4 ? packed_len : 4);
        compare(CODEC_ZSTD, 512);
    }
}

/* Matches from beyond the window: the library takes them as far as its ring
 * reaches. What the decoder did before must not change the answer. */
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
        cmocka_unit_test(test_deflate_after_full),
        cmocka_unit_test(test_deflate_without_end),
        cmocka_unit_test(test_deflate_one_stream),
        cmocka_unit_test(test_deflate_distance),
        cmocka_unit_test(test_deflate_codes),
        cmocka_unit_test(test_zstd_frames),
        cmocka_unit_test(test_zstd_checksum),
        cmocka_unit_test(test_zstd_header),
        cmocka_unit_test(test_zstd_last_block),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_zstd_beyond_window),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
