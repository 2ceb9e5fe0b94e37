/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SHA-256 with the SHA extensions of x86-64, up to three messages interleaved.
 *
 * The instruction for two rounds (sha256rnds2) has a latency of four cycles or
 * more, and each needs the result of the one before, so one message leaves the
 * unit idle most of the time. The state of a message is two registers, as the
 * instruction needs it: the words ABEF and CDGH.
 */
#include "lib/sha256.h"

#include <cpuid.h>
#include <immintrin.h>

#define LANES 3

static bool usable(void)
{
    const unsigned sse41_ssse3 = bit_SSE4_1 | bit_SSSE3;
    unsigned a, b, c, d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & sse41_ssse3) != sse41_ssse3)
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

/* n is a constant in each call, so the compiler unrolls the loops over it and
 * keeps the arrays in registers. */
static inline __attribute__((always_inline)) void compress_n(
    struct sha256_state *state, const uint8_t *const data[], size_t blocks,
    const unsigned n)
{
    const __m128i byte_order =
        _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    __m128i abef[LANES], cdgh[LANES];

    for (unsigned i = 0; i < n; i++) {
        uint32_t(*w)[SHA256_MAX_LANES] = state->word;

        abef[i] = _mm_set_epi32(w[0][i], w[1][i], w[4][i], w[5][i]);
        cdgh[i] = _mm_set_epi32(w[2][i], w[3][i], w[6][i], w[7][i]);
    }

    for (size_t block = 0; block < blocks; block++) {
        __m128i abef_before[LANES], cdgh_before[LANES];
        __m128i w[LANES][4]; /* the last 16 words of the message schedule */

        for (unsigned i = 0; i < n; i++) {
            abef_before[i] = abef[i];
            cdgh_before[i] = cdgh[i];
        }

#pragma GCC unroll 16
        for (unsigned r = 0; r < 16; r++) { /* four rounds each */
            const __m128i k =
                _mm_load_si128((const __m128i *)(sha256_k + 4 * r));

#pragma GCC unroll 4
            for (unsigned i = 0; i < n; i++) {
                __m128i *const w0 = &w[i][r % 4];
                __m128i kw;

                if (r < 4) {
                    const uint8_t *p = data[i] + block * SHA256_BLOCK + 16 * r;

                    *w0 = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)p),
                                           byte_order);
                } else {
                    const __m128i w1 = w[i][(r + 1) % 4];
                    const __m128i w2 = w[i][(r + 2) % 4];
                    const __m128i w3 = w[i][(r + 3) % 4];

                    *w0 = _mm_sha256msg1_epu32(*w0, w1);
                    *w0 = _mm_add_epi32(*w0, _mm_alignr_epi8(w3, w2, 4));
                    *w0 = _mm_sha256msg2_epu32(*w0, w3);
                }
                kw = _mm_add_epi32(*w0, k);
                cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], kw);
                kw = _mm_shuffle_epi32(kw, 0x0e);
                abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], kw);
            }
        }

        for (unsigned i = 0; i < n; i++) {
            abef[i] = _mm_add_epi32(abef[i], abef_before[i]);
            cdgh[i] = _mm_add_epi32(cdgh[i], cdgh_before[i]);
        }
    }

    for (unsigned i = 0; i < n; i++) {
        uint32_t(*w)[SHA256_MAX_LANES] = state->word;

        w[0][i] = _mm_extract_epi32(abef[i], 3);
        w[1][i] = _mm_extract_epi32(abef[i], 2);
        w[2][i] = _mm_extract_epi32(cdgh[i], 3);
        w[3][i] = _mm_extract_epi32(cdgh[i], 2);
        w[4][i] = _mm_extract_epi32(abef[i], 1);
        w[5][i] = _mm_extract_epi32(abef[i], 0);
        w[6][i] = _mm_extract_epi32(cdgh[i], 1);
        w[7][i] = _mm_extract_epi32(cdgh[i], 0);
    }
}

static void compress(struct sha256_state *state, const uint8_t *const data[],
                     unsigned count, size_t blocks)
{
    switch (count) {
    case 1:
        compress_n(state, data, blocks, 1);
        break;
    case 2:
        compress_n(state, data, blocks, 2);
        break;
    default:
        compress_n(state, data, blocks, 3);
        break;
    }
}

const struct sha256_kernel SHA256_KERNEL(shani) = {
    .name = "shani",
    .lanes = LANES,
    .usable = usable,
    .compress = compress,
};
