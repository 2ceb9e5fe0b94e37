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
 *
 * zlib, in grains of VMDK: QEMU calls zlib's uncompress(). Hence:
 *   - The stream has its header and its checksum, and must end. What follows is
 *     not read.
 *   - It may decode to less than a grain, if nobody reads the rest, but not to
 *     more.
 *   - Of the marker, only the size counts. It may be up to two grains.
 * Again, zlib decides when libdeflate finds a fault.
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

#include "common/bytes.h"

struct decoder {
    struct libdeflate_decompressor *deflate;
    z_stream inflate;
    bool inflate_ready;
    ZSTD_DCtx *zstd;
};

/* --- deflate ------------------------------------------------------------ */

/* As in QEMU: no zlib header, and a window of 4 KiB. */
#define WINDOW_BITS (-12)

/* A zlib header says how large the window is. */
#define ZLIB_WINDOW_BITS 15

/* Call inflate() once. *result is what it returns. */
static int inflate_once(struct decoder *d, int window_bits, const void *in,
                        size_t in_len, void *out, size_t out_len, int *result)
{
    z_stream *stream = &d->inflate;

    if (!d->inflate_ready) {
        if (inflateInit2(stream, window_bits) != Z_OK)
            return ENOMEM;
        d->inflate_ready = true;
    }
    inflateReset2(stream, window_bits);
    stream->next_in = (void *)(uintptr_t)in; /* const only with ZLIB_CONST */
    stream->avail_in = in_len;
    stream->next_out = out;
    stream->avail_out = out_len;
    *result = inflate(stream, Z_FINISH);
    return *result == Z_MEM_ERROR ? ENOMEM : 0;
}

static int inflate_cluster(struct decoder *d, const void *in, size_t in_len,
                           void *out, size_t out_len)
{
    int result;

    if (inflate_once(d, WINDOW_BITS, in, in_len, out, out_len, &result))
        return ENOMEM;
    /* Z_BUF_ERROR: there is more output, or the stream has no end. */
    if ((result == Z_STREAM_END || result == Z_BUF_ERROR) &&
        d->inflate.avail_out == 0)
        return 0;
    return EIO;
}

static int make_libdeflate(struct decoder *d)
{
    if (!d->deflate)
        d->deflate = libdeflate_alloc_decompressor();
    return d->deflate ? 0 : ENOMEM;
}

static int decode_deflate(struct decoder *d, const void *in, size_t in_len,
                          void *out, size_t out_len)
{
    size_t in_used, out_made;

    if (make_libdeflate(d))
        return ENOMEM;
    if (libdeflate_deflate_decompress_ex(d->deflate, in, in_len, out, out_len,
                                         &in_used,
                                         &out_made) == LIBDEFLATE_SUCCESS &&
        out_made == out_len)
        return 0;
    return inflate_cluster(d, in, in_len, out, out_len);
}

/* --- zlib --------------------------------------------------------------- */

static int decode_zlib(struct decoder *d, const void *in, size_t in_len,
                       void *out, size_t out_len, size_t needed)
{
    size_t in_used, out_made;
    int result;

    if (make_libdeflate(d))
        return ENOMEM;
    if (libdeflate_zlib_decompress_ex(d->deflate, in, in_len, out, out_len,
                                      &in_used,
                                      &out_made) == LIBDEFLATE_SUCCESS)
        return out_made < needed ? EIO : 0;
    if (inflate_once(d, ZLIB_WINDOW_BITS, in, in_len, out, out_len, &result))
        return ENOMEM;
    if (result == Z_STREAM_END && out_len - d->inflate.avail_out >= needed)
        return 0;
    return EIO;
}

/* A marker: the guest's sector, which QEMU ignores, and the length of the
 * stream that follows. */
#define MARKER_SIZE 12
#define MARKER_LENGTH_AT 8

static int decode_marked(struct decoder *d, const unsigned char *in,
                         size_t in_len, void *out, size_t out_len,
                         size_t needed)
{
    size_t length;

    if (in_len < MARKER_SIZE)
        return EIO;
    length = get_le32(in + MARKER_LENGTH_AT);
    if (length == 0 || length > 2 * out_len || length > in_len - MARKER_SIZE)
        return EIO;
    return decode_zlib(d, in + MARKER_SIZE, length, out, out_len, needed);
}

size_t decode_input_length(enum codec codec, const void *in, size_t in_len,
                           size_t out_len)
{
    const unsigned char *marker = in;
    size_t length;

    if (codec != CODEC_ZLIB_MARKED)
        return in_len;
    if (in_len < MARKER_SIZE)
        return MARKER_SIZE;
    length = get_le32(marker + MARKER_LENGTH_AT);
    /* One that is too long is refused as it is. */
    if (length > 2 * out_len || length + MARKER_SIZE < in_len)
        return in_len;
    return length + MARKER_SIZE;
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
           void *out, size_t out_len, size_t needed)
{
    /* zlib counts in unsigned. A cluster has at most 4 MiB. */
    if (in_len > INT_MAX || out_len == 0 || out_len > INT_MAX)
        return EIO;
    switch (codec) {
    case CODEC_DEFLATE:
        return decode_deflate(d, in, in_len, out, out_len);
    case CODEC_ZSTD:
        return decode_zstd(d, in, in_len, out, out_len);
    case CODEC_ZLIB:
        return decode_zlib(d, in, in_len, out, out_len, needed);
    case CODEC_ZLIB_MARKED:
        return decode_marked(d, in, in_len, out, out_len, needed);
    default:
        return EIO;
    }
}
