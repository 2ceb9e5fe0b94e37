/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed clusters, decoded to the bytes, or the error, of QEMU 7.2.
 *
 * Deflate: QEMU calls zlib's inflate() once, with a buffer for one cluster. It
 * accepts the cluster if the buffer is full and there was no error. Hence:
 *   - When the buffer is full, inflate() goes on up to the next literal or
 *     match. Everything before that must be valid: block headers, code lengths,
 *     no symbols 286 and 287, no distance codes 30 and 31. What follows is not
 *     read.
 *   - The stream may end without an end-of-block once the buffer is full.
 *   - The window of 4 KiB does not limit distances, since all output is in the
 *     buffer.
 *   - There is one stream, with zlib's rules for codes: an incomplete code is
 *     an error, unless it is a single distance or end-of-block code of one bit.
 *
 * libdeflate decodes whole buffers, twice as fast. But it reports more output
 * than fits as an error, and leaves the buffer undefined. So libdeflate tries
 * first, and zlib decides whenever libdeflate finds anything but a stream that
 * fills the cluster. libdeflate accepts a few streams that zlib refuses; see
 * docs/formats.md.
 *
 * zstd: QEMU calls ZSTD_decompressStream() until the buffer is full. The last
 * frame must be complete then, with its checksum if it has one. Hence:
 *   - Empty and skippable frames are skipped. What follows a full cluster is
 *     not read.
 *   - libzstd has two decoders. One decodes a frame at once, if the input has
 *     all of it, and if the frame has a content size that fits. The size of the
 *     window does not matter, up to the 2^31 of the format. Any other frame
 *     goes through a ring buffer: its window is limited to 2^27, its blocks to
 *     the window, and distances to the size of the ring.
 *   - The ring never shrinks, so neither does the limit on distances. A context
 *     that decoded another cluster before can therefore accept what a new one
 *     refuses. A context without a ring (stable output) differs, too.
 *
 * QEMU writes each cluster as one frame with its content size. Only these
 * frames are decoded by a context that is kept. All others get a new context,
 * so no worker keeps a window of 128 MiB.
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

/* As in QEMU: no zlib header, and a window of 4 KiB. */
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
    /* Z_BUF_ERROR: there is more output, or the stream has no end. */
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

/* The length of the first frame of the input, if it is complete and its content
 * size is the size of a cluster; 0 if not. Frames of the first versions of zstd
 * have other magic numbers. */
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
    /* zlib counts in unsigned. A cluster has at most 2 MiB. */
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
