/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "packing.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>
#include <zstd.h>

unsigned char content[LARGE];
unsigned char packed[ROOM];
size_t packed_len;
unsigned char out[LARGE + 1];
static struct decoder *decoder;

int packing_set_up(void **state)
{
    (void)state;
    decoder = decoder_new();
    /* Text that can be compressed, and noise that cannot. */
    random_fill(content, LARGE);
    for (size_t i = 0; i < LARGE; i++) {
        if (i % 97 < 60)
            content[i] = "a guest's data "[i % 15];
    }
    return decoder == NULL;
}

int packing_tear_down(void **state)
{
    (void)state;
    decoder_free(decoder);
    decoder_free(NULL);
    return 0;
}

/* --- decoding ----------------------------------------------------------- */

int try_length(enum codec codec, size_t in_len, size_t out_len)
{
    /* A buffer of exactly this size, so that sanitizers find overruns. */
    unsigned char *in = malloc(in_len ? in_len : 1);
    int err;

    assert_non_null(in);
    memcpy(in, packed, in_len);
    memset(out, 0xee, sizeof(out));
    err = decode(decoder, codec, in, in_len, out, out_len, out_len);
    assert_int_equal(out[out_len], 0xee);
    free(in);
    return err;
}

int try(enum codec codec)
{
    return try_length(codec, packed_len, CLUSTER);
}

void check(enum codec codec)
{
    assert_int_equal(try(codec), 0);
    assert_memory_equal(out, content, CLUSTER);
}

/* --- packing ------------------------------------------------------------ */

void put(const void *bytes, size_t len)
{
    assert_true(packed_len + len <= ROOM);
    memcpy(packed + packed_len, bytes, len);
    packed_len += len;
}

void put_deflate(const void *data, size_t len)
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

void put_frame(const void *data, size_t len, const struct frame *f)
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

void put_zstd(const void *data, size_t len)
{
    put_frame(data, len, &(struct frame){ 0 });
}

void put_sizeless(const void *data, size_t len)
{
    put_frame(data, len, &(struct frame){ .sizeless = true });
}

void put_skippable(size_t len)
{
    unsigned char head[] = { 0x5e, 0x2a, 0x4d, 0x18, len, len >> 8, 0, 0 };

    put(head, sizeof(head));
    put(content, len);
}
