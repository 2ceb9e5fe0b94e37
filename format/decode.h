/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed clusters. decode.c alone knows the libraries.
 */
#ifndef FORMAT_DECODE_H
#define FORMAT_DECODE_H

#include <stddef.h>

enum codec {
    CODEC_NONE,
    CODEC_DEFLATE,
    CODEC_ZSTD,
};

/* What decoding needs, made when it is first needed. One thread uses it. */
struct decoder;

/* NULL when out of memory. */
struct decoder *decoder_new(void);

/* NULL is accepted. */
void decoder_free(struct decoder *d);

/*
 * Decode a cluster: of the in_len bytes at `in`, of which the last need not
 * belong to it, into out_len bytes at `out`. 0 or a positive errno value: EIO
 * when they are not a cluster that QEMU would read, ENOMEM.
 */
int decode(struct decoder *d, enum codec codec, const void *in, size_t in_len,
           void *out, size_t out_len);

#endif
