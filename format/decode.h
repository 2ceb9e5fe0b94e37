/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed clusters. Only decode.c uses the libraries for them.
 */
#ifndef FORMAT_DECODE_H
#define FORMAT_DECODE_H

#include <stddef.h>

enum codec {
    CODEC_NONE,
    CODEC_DEFLATE,
    CODEC_ZSTD,
};

/* The contexts of the libraries, made when they are first used. A decoder
 * belongs to one thread. */
struct decoder;

/* NULL when out of memory. */
struct decoder *decoder_new(void);

/* NULL is accepted. */
void decoder_free(struct decoder *d);

/*
 * Decode a cluster from in_len bytes at `in`, the last of which may not belong
 * to it, into out_len bytes at `out`. Returns 0, EIO if QEMU would refuse the
 * cluster, or ENOMEM.
 */
int decode(struct decoder *d, enum codec codec, const void *in, size_t in_len,
           void *out, size_t out_len);

#endif
