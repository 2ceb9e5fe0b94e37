/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a compressed cluster. The first byte selects the codec and the
 * size of the cluster. The result must not depend on what the decoder did
 * before, and nothing may be written beyond the cluster.
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
    size_t len;
    int err;

    if (!used)
        used = decoder_new();
    if (size == 0 || !used || !fresh) {
        decoder_free(fresh);
        return 0;
    }
    codec = data[0] & 1 ? CODEC_ZSTD : CODEC_DEFLATE;
    len = 512u << (data[0] >> 1 & 7);

    first[len] = again[len] = 0xee;
    err = decode(used, codec, data + 1, size - 1, first, len);
    if (decode(fresh, codec, data + 1, size - 1, again, len) != err)
        abort();
    if (!err && memcmp(first, again, len) != 0)
        abort();
    if (first[len] != 0xee || again[len] != 0xee)
        abort();
    decoder_free(fresh);
    return 0;
}
