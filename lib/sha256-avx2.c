/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SHA-256 of 8 messages at once with AVX2, for CPUs without the SHA
 * extensions.
 */
#include "lib/sha256.h"

#include <immintrin.h>

#define V __m256i
#define LANES 8
#define ADD(a, b) _mm256_add_epi32(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define AND(a, b) _mm256_and_si256(a, b)
#define SHR(a, n) _mm256_srli_epi32(a, n)
#define ROR(a, n)                                                              \
    _mm256_or_si256(_mm256_srli_epi32(a, n), _mm256_slli_epi32(a, 32 - (n)))
#define SET1(x) _mm256_set1_epi32(x)
#define LOAD(p) _mm256_load_si256((const V *)(p))
#define STORE(p, v) _mm256_store_si256((V *)(p), v)
#define XOR3(a, b, c) XOR(XOR(a, b), c)
#define CH(e, f, g) XOR(g, AND(e, XOR(f, g)))
#define MAJ(a, b, c) _mm256_or_si256(AND(a, b), AND(c, _mm256_or_si256(a, b)))

/* Transpose 8 rows of 8 words. */
static inline void transpose(V r[8])
{
    V t[8];

    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2x128_si256(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2x128_si256(r[i], r[i + 4], 0x31);
    }
    for (int i = 0; i < 8; i++)
        r[i] = t[i];
}

static inline void load_words(V w[16], const uint8_t *const data[],
                              size_t offset)
{
    const V byte_order = _mm256_broadcastsi128_si256(
        _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));

    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < LANES; i++) {
            const uint8_t *p = data[i] + offset + 32 * half;

            w[8 * half + i] = _mm256_shuffle_epi8(
                _mm256_loadu_si256((const V *)p), byte_order);
        }
        transpose(w + 8 * half);
    }
}

#include "lib/sha256-vector.h"

static bool usable(void)
{
    return __builtin_cpu_supports("avx2");
}

const struct sha256_kernel SHA256_KERNEL(avx2) = {
    .name = "avx2",
    .lanes = LANES,
    .usable = usable,
    .compress = compress,
};
