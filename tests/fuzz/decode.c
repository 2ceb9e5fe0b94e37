/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a compressed cluster. The first byte selects the codec, the
 * size of the cluster, and how much of it is needed. The result must not depend
 * on what the decoder did before, and nothing may be written beyond the
 * cluster.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "format/decode.h"

#define MAX_CLUSTER (64 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char first[MAX_CLUSTER + 1], again[MAX_CLUSTER + 1];
    static struct decoder *used;
    struct decoder *fresh = decoder_new();
    enum codec codec;
    size_t len, needed;
    int err;

    if (!used)
        used = decoder_new();
    if (size == 0 || !used || !fresh) {
        decoder_free(fresh);
        return 0;
    }
    if (data[0] & 16)
        codec = data[0] & 1 ? CODEC_ZLIB_MARKED : CODEC_ZLIB;
    else
        codec = data[0] & 1 ? CODEC_ZSTD : CODEC_DEFLATE;
    len = 512u << (data[0] >> 1 & 7);
    needed = data[0] & 32 ? len / 2 : len;

    first[len] = again[len] = 0xee;
    err = decode(used, codec, data + 1, size - 1, first, len, needed);
    if (decode(fresh, codec, data + 1, size - 1, again, len, needed) != err)
        abort();
    if (!err && memcmp(first, again, needed) != 0)
        abort();
    if (first[len] != 0xee || again[len] != 0xee)
        abort();
    decoder_free(fresh);
    return 0;
}
