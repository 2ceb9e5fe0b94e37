/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/sha256.h"

#include <assert.h>
#include <string.h>

/* clang-format off */
_Alignas(64) const uint32_t sha256_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
    0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5,
    0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t initial_hash[SHA256_WORDS] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};
/* clang-format on */

static void put_be32(unsigned char *p, uint32_t v)
{
    p[0] = v >> 24;
    p[1] = v >> 16;
    p[2] = v >> 8;
    p[3] = v;
}

void sha256_hash(const struct sha256_kernel *kernel,
                 const uint8_t *const messages[], unsigned count, size_t len,
                 unsigned char *const mds[])
{
    size_t rest = len % SHA256_BLOCK;
    size_t whole = len - rest;
    /* The padding: a bit that is set, zeros, and the length in bits. */
    size_t tail_blocks = rest + 1 + 8 <= SHA256_BLOCK ? 1 : 2;
    unsigned char tails[SHA256_MAX_LANES][2 * SHA256_BLOCK] = { 0 };
    const uint8_t *data[SHA256_MAX_LANES];
    struct sha256_state state;

    assert(kernel->lanes <= SHA256_MAX_LANES);
    assert(count > 0 && count <= kernel->lanes);

    for (unsigned i = 0; i < SHA256_WORDS; i++) {
        for (unsigned lane = 0; lane < SHA256_MAX_LANES; lane++)
            state.word[i][lane] = initial_hash[i];
    }

    for (unsigned lane = 0; lane < kernel->lanes; lane++)
        data[lane] = messages[lane < count ? lane : 0];
    kernel->compress(&state, data, count, whole / SHA256_BLOCK);

    for (unsigned lane = 0; lane < kernel->lanes; lane++) {
        unsigned char *end = tails[lane] + tail_blocks * SHA256_BLOCK;

        memcpy(tails[lane], data[lane] + whole, rest);
        tails[lane][rest] = 0x80;
        put_be32(end - 8, (uint64_t)len >> 29);
        put_be32(end - 4, (uint64_t)len << 3);
        data[lane] = tails[lane];
    }
    kernel->compress(&state, data, count, tail_blocks);

    for (unsigned lane = 0; lane < count; lane++) {
        for (unsigned i = 0; i < SHA256_WORDS; i++)
            put_be32(mds[lane] + 4 * i, state.word[i][lane]);
    }
}

unsigned sha256_group(const struct sha256_kernel *kernel, size_t n)
{
    unsigned lanes = kernel ? kernel->lanes : 1;
    size_t groups = (n + lanes - 1) / lanes;

    assert(n > 0);
    return (n + groups - 1) / groups;
}
