/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What QEMU reads, this reads, and what it refuses, this refuses.
 *
 * Deflate: QEMU calls inflate() once, and takes the cluster if it is full then:
 * the stream may go on, or end early in its input. A decoder for whole buffers
 * is twice as fast, but sees a fault in both; so libdeflate has the first try,
 * and where it finds anything but a stream that fills the cluster, zlib
 * decides.
 *
 * zstd: frames, one after the other, until the cluster is full; the last must
 * be complete then. A frame can ask for a window of 128 MiB, which no cluster
 * needs.
 */
#include "image/decode.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <libdeflate.h>
#include <zlib.h>
#include <zstd.h>

struct decoder {
    struct libdeflate_decompressor *deflate;
    z_stream inflate;
    bool inflate_ready;
    ZSTD_DCtx *zstd;
};

/* --- deflate ------------------------------------------------------------ */

/* No zlib header, and a window of 4 KiB, as QEMU. (Distances beyond that are
 * fine for zlib when all output is in one buffer.) */
#define WINDOW_BITS (-12)

static int inflate_cluster(struct decoder *d, const void *in, size_t in_len,
                           void *out, size_t out_len)
{
    z_stream *stream = &d->inflate;
    int result;

    if (!d->inflate_ready) {
        if (inflateInit2(stream, WINDOW_BITS) != Z_OK)
            return ENOMEM;
        d->inflate_ready = true;
    }
    inflateReset(stream);
    stream->next_in = (void *)(uintptr_t)in; /* not const before zlib 1.3 */
    stream->avail_in = in_len;
    stream->next_out = out;
    stream->avail_out = out_len;
    result = inflate(stream, Z_FINISH);
    if (result == Z_MEM_ERROR)
        return ENOMEM;
    /* Z_BUF_ERROR: there would be more, or the end is missing. */
    if ((result == Z_STREAM_END || result == Z_BUF_ERROR) &&
        stream->avail_out == 0)
        return 0;
    return EIO;
}

static int decode_deflate(struct decoder *d, const void *in, size_t in_len,
                          void *out, size_t out_len)
{
    size_t in_used, out_made;

    if (!d->deflate)
        d->deflate = libdeflate_alloc_decompressor();
    if (!d->deflate)
        return ENOMEM;
    if (libdeflate_deflate_decompress_ex(d->deflate, in, in_len, out, out_len,
                                         &in_used,
                                         &out_made) == LIBDEFLATE_SUCCESS &&
        out_made == out_len)
        return 0;
    return inflate_cluster(d, in, in_len, out, out_len);
}

/* --- zstd --------------------------------------------------------------- */

/* Decode into the cluster at once, without a buffer for the window. The name of
 * the parameter is not stable, its number is; where there is no such parameter,
 * the buffer is the only loss. */
static ZSTD_DCtx *new_zstd(void)
{
    ZSTD_DCtx *zstd = ZSTD_createDCtx();

    if (zstd)
        ZSTD_DCtx_setParameter(zstd, ZSTD_d_experimentalParam2, 1);
    return zstd;
}

static int decode_zstd(struct decoder *d, const void *in, size_t in_len,
                       void *out, size_t out_len)
{
    ZSTD_inBuffer input = { in, in_len, 0 };
    ZSTD_outBuffer output = { out, out_len, 0 };
    size_t wanted = 0; /* 0: the frame is complete */

    if (!d->zstd)
        d->zstd = new_zstd();
    if (!d->zstd)
        return ENOMEM;
    ZSTD_DCtx_reset(d->zstd, ZSTD_reset_session_only);
    while (output.pos < output.size) {
        size_t in_before = input.pos, out_before = output.pos;

        wanted = ZSTD_decompressStream(d->zstd, &output, &input);
        if (ZSTD_isError(wanted) ||
            (input.pos == in_before && output.pos == out_before))
            return EIO;
    }
    return wanted ? EIO : 0;
}

/* --- decoders ----------------------------------------------------------- */

struct decoder *decoder_new(void)
{
    return calloc(1, sizeof(struct decoder));
}

void decoder_free(struct decoder *d)
{
    if (!d)
        return;
    if (d->deflate)
        libdeflate_free_decompressor(d->deflate);
    if (d->inflate_ready)
        inflateEnd(&d->inflate);
    ZSTD_freeDCtx(d->zstd);
    free(d);
}

int decode(struct decoder *d, enum codec codec, const void *in, size_t in_len,
           void *out, size_t out_len)
{
    switch (codec) {
    case CODEC_DEFLATE:
        return decode_deflate(d, in, in_len, out, out_len);
    case CODEC_ZSTD:
        return decode_zstd(d, in, in_len, out, out_len);
    default:
        return EIO;
    }
}
