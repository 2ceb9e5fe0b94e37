/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SHA-256 of 16 messages at once with AVX-512, which has one instruction for a
 * rotation, and one for any bitwise function of three words.
 */
#include "lib/sha256.h"

#include <immintrin.h>

#define V __m512i
#define LANES 16
#define ADD(a, b) _mm512_add_epi32(a, b)
#define ROR(a, n) _mm512_ror_epi32(a, n)
#define SHR(a, n) _mm512_srli_epi32(a, n)
#define SET1(x) _mm512_set1_epi32(x)
#define LOAD(p) _mm512_load_si512(p)
#define STORE(p, v) _mm512_store_si512(p, v)

/* The constant is the truth table of the function, from a = b = c = 1 down to
 * 0. */
#define XOR3(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0x96)
#define CH(e, f, g) _mm512_ternarylogic_epi32(e, f, g, 0xca)
#define MAJ(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0xe8)

/* Transpose 16 rows of 16 words: interleave words within pairs of rows, pairs
 * of words within groups of four rows, and then 128-bit quarters, twice. */
static inline void transpose(V r[16])
{
    V t[16];

    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

static inline void load_words(V w[16], const uint8_t *const data[],
                              size_t offset)
{
    const V byte_order = _mm512_broadcast_i32x4(
        _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));

    for (int i = 0; i < LANES; i++)
        w[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(data[i] + offset),
                                   byte_order);
    transpose(w);
}

#include "lib/sha256-vector.h"

static bool usable(void)
{
    return __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw");
}

const struct sha256_kernel SHA256_KERNEL(avx512) = {
    .name = "avx512",
    .lanes = LANES,
    .usable = usable,
    .compress = compress,
};
