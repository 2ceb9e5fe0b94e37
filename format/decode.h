/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed clusters. Only decode.c uses the libraries for them.
 */
#ifndef FORMAT_DECODE_H
#define FORMAT_DECODE_H

#include <stddef.h>

enum codec {
    CODEC_NONE,
    CODEC_DEFLATE,     /* of qcow2 */
    CODEC_ZSTD,        /* of qcow2 */
    CODEC_ZLIB,        /* of VMDK */
    CODEC_ZLIB_MARKED, /* of VMDK, after a marker that has the length */
};

/* The contexts of the libraries, made when they are first used. A decoder
 * belongs to one thread. */
struct decoder;

/* NULL when out of memory. */
struct decoder *decoder_new(void);

/* NULL is accepted. */
void decoder_free(struct decoder *d);

/*
 * The number of bytes that a cluster of out_len bytes, of which in_len are at
 * `in`, has in its image: more than in_len if its marker says so.
 */
size_t decode_input_length(enum codec codec, const void *in, size_t in_len,
                           size_t out_len);

/*
 * Decode a cluster from in_len bytes at `in`, the last of which may not belong
 * to it, into out_len bytes at `out`. The first `needed` of these are wanted: a
 * zlib stream may end before the others. Returns 0, EIO if QEMU would refuse to
 * read these bytes, or ENOMEM.
 */
int decode(struct decoder *d, enum codec codec, const void *in, size_t in_len,
           void *out, size_t out_len, size_t needed);

#endif
