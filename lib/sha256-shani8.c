/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SHA-256 of 8 messages at once with the SHA extensions and AVX-512VL, on CPUs
 * that execute them in different units.
 *
 * The SHA extensions compute four rounds in two instructions, but the message
 * schedule of four rounds takes four more, of which sha256msg2 is slow. On
 * Zen 4 it is microcode: four operations that are dispatched alone, where other
 * instructions are dispatched six at a time. Vectors are good at the schedule,
 * which has only additions, rotations and xor. So this kernel computes
 *
 *   - the rounds of a block with the SHA extensions, four messages at a time,
 *     and
 *   - at the same time, with vectors of a word of each message, the schedule of
 *     the next block. A transposition turns these into vectors of four words of
 *     a message, which the rounds load from memory.
 *
 * Neither waits for the other, as long as the instructions of both alternate:
 * the CPU looks only some hundred instructions ahead.
 */
#include "lib/sha256.h"

#include <cpuid.h>
#include <immintrin.h>

#define LANES 8
/* Messages whose rounds are interleaved. sha256rnds2 takes four cycles, and
 * one can start in each cycle. */
#define INTERLEAVED 4
/* A quad is four rounds, or their four words of the schedule. */
#define QUADS 16
#define STEPS_PER_QUAD 8

#define V __m256i
#define ADD(a, b) _mm256_add_epi32(a, b)
#define ROR(a, n) _mm256_ror_epi32(a, n)
#define SHR(a, n) _mm256_srli_epi32(a, n)
#define XOR3(a, b, c) _mm256_ternarylogic_epi32(a, b, c, 0x96)
#define sigma0(x) XOR3(ROR(x, 7), ROR(x, 18), SHR(x, 3))
#define sigma1(x) XOR3(ROR(x, 17), ROR(x, 19), SHR(x, 10))

/*
 * The schedule of a block of all messages, with the round constants added. A
 * row has four words of message i, and then four of message i + 4.
 */
struct schedule {
    _Alignas(32) uint32_t words[QUADS][LANES / 2][2][4];
};

/* The state of all messages: ABEF and CDGH, as sha256rnds2 needs them. */
struct lanes {
    __m128i abef[LANES], cdgh[LANES];
};

/* Arrays are kept in registers only where all loops over them are unrolled. */
#define INLINE static inline __attribute__((always_inline))

static bool usable(void)
{
    unsigned a, b, c, d;

    return __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

/* Transpose 4 rows of 4 words in each half of the vectors. */
INLINE void transpose(V r[4])
{
    const V a = _mm256_unpacklo_epi32(r[0], r[1]);
    const V b = _mm256_unpackhi_epi32(r[0], r[1]);
    const V c = _mm256_unpacklo_epi32(r[2], r[3]);
    const V d = _mm256_unpackhi_epi32(r[2], r[3]);

    r[0] = _mm256_unpacklo_epi64(a, c);
    r[1] = _mm256_unpackhi_epi64(a, c);
    r[2] = _mm256_unpacklo_epi64(b, d);
    r[3] = _mm256_unpackhi_epi64(b, d);
}

INLINE V load_twice(const void *p)
{
    return _mm256_broadcastsi128_si256(_mm_load_si128(p));
}

INLINE V load_words(const uint8_t *low, const uint8_t *high)
{
    const V byte_order = _mm256_broadcastsi128_si256(
        _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
    const V both = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low)),
        _mm_loadu_si128((const __m128i *)high), 1);

    return _mm256_shuffle_epi8(both, byte_order);
}

/*
 * A step of computing a schedule. w[] has the last 16 words: word t of all
 * messages in w[t % 16]. The first four quads are the bytes of the block, which
 * have the order that the rounds need.
 */
static inline __attribute__((always_inline)) void schedule_step(
    struct schedule *schedule, V w[16], const uint8_t *const data[],
    size_t offset, unsigned quad, unsigned step)
{
    V *const quad_words = w + quad % 4 * 4;
    const unsigned i = step / 2;
    const unsigned t = 4 * quad + i;

    if (step % 2 == 0 && quad < 4) {
        const V x = load_words(data[i] + offset + 16 * quad,
                               data[i + LANES / 2] + offset + 16 * quad);

        quad_words[i] = x;
        _mm256_store_si256((V *)schedule->words[quad][i],
                           ADD(x, load_twice(sha256_k + 4 * quad)));
    } else if (step % 2 == 0) {
        w[t % 16] = ADD(ADD(w[t % 16], w[(t + 9) % 16]),
                        ADD(sigma0(w[(t + 1) % 16]), sigma1(w[(t + 14) % 16])));
    } else if (step == STEPS_PER_QUAD - 1 && quad < 4) {
        transpose(quad_words);
    } else if (step == STEPS_PER_QUAD - 1) {
        V r[4];

        for (unsigned j = 0; j < 4; j++)
            r[j] =
                ADD(quad_words[j], _mm256_set1_epi32(sha256_k[4 * quad + j]));
        transpose(r);
        for (unsigned j = 0; j < 4; j++)
            _mm256_store_si256((V *)schedule->words[quad][j], r[j]);
    }
}

static void first_schedule(struct schedule *schedule,
                           const uint8_t *const data[])
{
    V w[16];

#pragma GCC unroll 16
    for (unsigned quad = 0; quad < QUADS; quad++) {
#pragma GCC unroll 8
        for (unsigned step = 0; step < STEPS_PER_QUAD; step++)
            schedule_step(schedule, w, data, 0, quad, step);
    }
}

/* The rounds of a block for messages first to first + INTERLEAVED - 1, and a
 * part of the schedule of the block at data[] + offset. */
INLINE void some_rounds(struct lanes *lanes, const struct schedule *now,
                        struct schedule *next, V w[16],
                        const uint8_t *const data[], size_t offset,
                        const unsigned first)
{
    __m128i abef[INTERLEAVED], cdgh[INTERLEAVED];

    for (unsigned i = 0; i < INTERLEAVED; i++) {
        abef[i] = lanes->abef[first + i];
        cdgh[i] = lanes->cdgh[first + i];
    }

#pragma GCC unroll 16
    for (unsigned quad = 0; quad < QUADS; quad++) {
#pragma GCC unroll 4
        for (unsigned i = 0; i < INTERLEAVED; i++) {
            const unsigned step = first * QUADS + quad * INTERLEAVED + i;
            const uint32_t *words = now->words[quad][i][first / INTERLEAVED];
            __m128i kw = _mm_load_si128((const __m128i *)words);

            cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], kw);
            kw = _mm_shuffle_epi32(kw, 0x0e);
            abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], kw);
            schedule_step(next, w, data, offset, step / STEPS_PER_QUAD,
                          step % STEPS_PER_QUAD);
            /* Where the compiler moves loads to the front, they do not fit in
             * the registers. */
            __asm__ volatile("" ::: "memory");
        }
    }

    for (unsigned i = 0; i < INTERLEAVED; i++) {
        lanes->abef[first + i] = _mm_add_epi32(lanes->abef[first + i], abef[i]);
        lanes->cdgh[first + i] = _mm_add_epi32(lanes->cdgh[first + i], cdgh[i]);
    }
}

static void compress(struct sha256_state *state, const uint8_t *const data[],
                     unsigned count, size_t blocks)
{
    uint32_t(*const s)[SHA256_MAX_LANES] = state->word;
    struct schedule schedules[2];
    struct lanes lanes;

    (void)count; /* the results of the other lanes are not used */
    if (blocks == 0)
        return;

    for (unsigned i = 0; i < LANES; i++) {
        lanes.abef[i] = _mm_set_epi32(s[0][i], s[1][i], s[4][i], s[5][i]);
        lanes.cdgh[i] = _mm_set_epi32(s[2][i], s[3][i], s[6][i], s[7][i]);
    }

    first_schedule(&schedules[0], data);
    for (size_t block = 0; block < blocks; block++) {
        /* There is none after the last block: that of the last again. */
        size_t next = block + 1 < blocks ? block + 1 : block;

        const struct schedule *now = &schedules[block % 2];
        struct schedule *after = &schedules[1 - block % 2];
        V w[16];

        some_rounds(&lanes, now, after, w, data, next * SHA256_BLOCK, 0);
        some_rounds(&lanes, now, after, w, data, next * SHA256_BLOCK,
                    INTERLEAVED);
    }

    for (unsigned i = 0; i < LANES; i++) {
        s[0][i] = _mm_extract_epi32(lanes.abef[i], 3);
        s[1][i] = _mm_extract_epi32(lanes.abef[i], 2);
        s[2][i] = _mm_extract_epi32(lanes.cdgh[i], 3);
        s[3][i] = _mm_extract_epi32(lanes.cdgh[i], 2);
        s[4][i] = _mm_extract_epi32(lanes.abef[i], 1);
        s[5][i] = _mm_extract_epi32(lanes.abef[i], 0);
        s[6][i] = _mm_extract_epi32(lanes.cdgh[i], 1);
        s[7][i] = _mm_extract_epi32(lanes.cdgh[i], 0);
    }
}

const struct sha256_kernel SHA256_KERNEL(shani8) = {
    .name = "shani8",
    .lanes = LANES,
    .usable = usable,
    .compress = compress,
};
