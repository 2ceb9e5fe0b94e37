/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What QEMU 7.2 makes of a compressed cluster, this makes of it.
 *
 * Deflate: QEMU calls zlib's inflate() once, with room for one cluster, and is
 * content when the room is filled and no fault was met. Hence:
 *   - inflate() goes on when the cluster is full, up to the first literal or
 *     match, which stops it: what comes after is never looked at. Before it,
 *     all must be good: headers of blocks, code lengths, symbols 286 and 287,
 *     distance codes 30 and 31;
 *   - a stream that ends with its input is fine once the cluster is full;
 *   - the window of 4 KiB does not bound distances: all output is in the room;
 *   - it is one stream, and zlib's idea of codes: an incomplete one is a fault
 *     unless it is a single distance or end-of-block of one bit.
 * A decoder for whole buffers is twice as fast, but reports more output than
 * fits as a fault, and leaves it undefined. So libdeflate has the first try,
 * and where it finds anything but a stream that fills the cluster, zlib
 * decides. libdeflate takes a few streams that zlib refuses: see
 * docs/formats.md.
 *
 * zstd: QEMU calls ZSTD_decompressStream() until the cluster is full, and wants
 * the last frame to be complete then, with its checksum. Hence:
 *   - empty and skippable frames count for nothing, and what follows a full
 *     cluster is not looked at;
 *   - inside the library there are two ways. A frame that tells a size that
 *     fits, and is all there, is decoded at once; its window does not matter,
 * up to the format's 2^31. Any other goes through a ring buffer, and has a
 *     window of 2^27 at most, blocks no longer than its window, and distances
 *     that are bounded by the size of the ring;
 *   - the ring stays as large as any frame before wanted it, and so does the
 *     bound. A decoder that was used for another cluster would therefore decide
 *     otherwise, and so would one without a ring (stable output).
 * QEMU's own clusters are one frame with its size. Only they are decoded by a
 * context that is kept; that also means that no worker keeps a window of 128
 * MiB.
 */
#include "format/decode.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

struct decoder {
    struct libdeflate_decompressor *deflate;
    z_stream inflate;
    bool inflate_ready;
    ZSTD_DCtx *zstd;
};

/* --- deflate ------------------------------------------------------------ */

/* As in QEMU: no header of zlib's, a window of 4 KiB. */
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
    stream->next_in = (void *)(uintptr_t)in; /* const only with ZLIB_CONST */
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

/* The length of the frame that the input begins with, if it is one that tells
 * the size of the cluster as its own and is all there; 0 if not. Frames of
 * zstd's early versions have other magic numbers. */
static size_t cluster_frame(const void *in, size_t in_len, size_t out_len)
{
    static const unsigned char magic[] = { 0x28, 0xb5, 0x2f, 0xfd };
    size_t len;

    if (in_len < sizeof(magic) || memcmp(in, magic, sizeof(magic)) != 0 ||
        ZSTD_getFrameContentSize(in, in_len) != out_len)
        return 0;
    len = ZSTD_findFrameCompressedSize(in, in_len);
    return ZSTD_isError(len) ? 0 : len;
}

static int zstd_errno(size_t result)
{
    return ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation ? ENOMEM
                                                                     : EIO;
}

static int decode_frames(const void *in, size_t in_len, void *out,
                         size_t out_len)
{
    ZSTD_inBuffer input = { in, in_len, 0 };
    ZSTD_outBuffer output = { out, out_len, 0 };
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    size_t wanted = 0; /* 0: the frame is complete */
    int err = zstd ? 0 : ENOMEM;

    while (!err && output.pos < output.size) {
        size_t in_before = input.pos, out_before = output.pos;

        wanted = ZSTD_decompressStream(zstd, &output, &input);
        if (ZSTD_isError(wanted))
            err = zstd_errno(wanted);
        else if (input.pos == in_before && output.pos == out_before)
            err = EIO;
    }
    if (!err && wanted)
        err = EIO;
    ZSTD_freeDCtx(zstd);
    return err;
}

static int decode_zstd(struct decoder *d, const void *in, size_t in_len,
                       void *out, size_t out_len)
{
    size_t len = cluster_frame(in, in_len, out_len);

    if (len == 0)
        return decode_frames(in, in_len, out, out_len);
    if (!d->zstd)
        d->zstd = ZSTD_createDCtx();
    if (!d->zstd)
        return ENOMEM;
    len = ZSTD_decompressDCtx(d->zstd, out, out_len, in, len);
    if (ZSTD_isError(len))
        return zstd_errno(len);
    return len == out_len ? 0 : EIO;
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
    /* zlib counts in unsigned; a cluster has 2 MiB at most. */
    if (in_len > INT_MAX || out_len == 0 || out_len > INT_MAX)
        return EIO;
    switch (codec) {
    case CODEC_DEFLATE:
        return decode_deflate(d, in, in_len, out, out_len);
    case CODEC_ZSTD:
        return decode_zstd(d, in, in_len, out, out_len);
    default:
        return EIO;
    }
}
