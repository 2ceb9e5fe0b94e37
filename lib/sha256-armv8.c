/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SHA-256 with the SHA2 instructions of ARMv8, up to STREAMS messages
 * interleaved.
 *
 * SHA256H and SHA256H2 do four rounds, and each needs the result of the one
 * before, so one message leaves the unit idle. How many messages keep it busy
 * depends on the latency of the instructions, and how many fit on the
 * registers: this file is compiled for 1, 2, 3 and 4, and the benchmark
 * chooses. The state of a message is two registers, as the instructions need
 * it: the words ABCD and EFGH, A and E in the lowest lanes.
 */
#include "lib/sha256.h"

#include <arm_neon.h>
#include <sys/auxv.h>

static bool usable(void)
{
    return getauxval(AT_HWCAP) & HWCAP_SHA2;
}

static inline __attribute__((always_inline)) uint32x4_t load_words(
    const uint8_t *p)
{
    return vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(p)));
}

/* Words first to first + 3 of the state of message i. */
static inline uint32x4_t get_words(const struct sha256_state *state,
                                   unsigned first, unsigned i)
{
    uint32_t words[4];

    for (unsigned j = 0; j < 4; j++)
        words[j] = state->word[first + j][i];
    return vld1q_u32(words);
}

static inline void put_words(struct sha256_state *state, unsigned first,
                             unsigned i, uint32x4_t v)
{
    uint32_t words[4];

    vst1q_u32(words, v);
    for (unsigned j = 0; j < 4; j++)
        state->word[first + j][i] = words[j];
}

/* n is a constant in each call, so the compiler unrolls the loops over it and
 * keeps the arrays in registers. Neighbouring instructions belong to different
 * messages, also on a core that does not reorder them. */
static inline __attribute__((always_inline)) void compress_n(
    struct sha256_state *state, const uint8_t *const data[], size_t blocks,
    const unsigned n)
{
    uint32x4_t abcd[STREAMS], efgh[STREAMS];

    for (unsigned i = 0; i < n; i++) {
        abcd[i] = get_words(state, 0, i);
        efgh[i] = get_words(state, 4, i);
    }

    for (size_t block = 0; block < blocks; block++) {
        uint32x4_t abcd_before[STREAMS], efgh_before[STREAMS];
        uint32x4_t w[4][STREAMS]; /* the last 16 words of the schedule */

        for (unsigned i = 0; i < n; i++) {
            abcd_before[i] = abcd[i];
            efgh_before[i] = efgh[i];
        }

#pragma GCC unroll 16
        for (unsigned r = 0; r < 16; r++) { /* four rounds each */
            const uint32x4_t k = vld1q_u32(sha256_k + 4 * r);
            uint32x4_t *const w0 = w[r % 4];
            uint32x4_t kw[STREAMS], abcd_now[STREAMS];

            if (r < 4) {
#pragma GCC unroll 4
                for (unsigned i = 0; i < n; i++)
                    w0[i] = load_words(data[i] + block * SHA256_BLOCK + 16 * r);
            } else {
                const uint32x4_t *const w1 = w[(r + 1) % 4];
                const uint32x4_t *const w2 = w[(r + 2) % 4];
                const uint32x4_t *const w3 = w[(r + 3) % 4];

#pragma GCC unroll 4
                for (unsigned i = 0; i < n; i++)
                    w0[i] = vsha256su0q_u32(w0[i], w1[i]);
#pragma GCC unroll 4
                for (unsigned i = 0; i < n; i++)
                    w0[i] = vsha256su1q_u32(w0[i], w2[i], w3[i]);
            }
#pragma GCC unroll 4
            for (unsigned i = 0; i < n; i++) {
                kw[i] = vaddq_u32(w0[i], k);
                abcd_now[i] = abcd[i];
            }
#pragma GCC unroll 4
            for (unsigned i = 0; i < n; i++)
                abcd[i] = vsha256hq_u32(abcd[i], efgh[i], kw[i]);
#pragma GCC unroll 4
            for (unsigned i = 0; i < n; i++)
                efgh[i] = vsha256h2q_u32(efgh[i], abcd_now[i], kw[i]);
        }

        for (unsigned i = 0; i < n; i++) {
            abcd[i] = vaddq_u32(abcd[i], abcd_before[i]);
            efgh[i] = vaddq_u32(efgh[i], efgh_before[i]);
        }
    }

    for (unsigned i = 0; i < n; i++) {
        put_words(state, 0, i, abcd[i]);
        put_words(state, 4, i, efgh[i]);
    }
}

static void compress(struct sha256_state *state, const uint8_t *const data[],
                     unsigned count, size_t blocks)
{
    switch (count) {
    case 1:
        compress_n(state, data, blocks, 1);
        break;
#if STREAMS > 1
    case 2:
        compress_n(state, data, blocks, 2);
        break;
#endif
#if STREAMS > 2
    case 3:
        compress_n(state, data, blocks, 3);
        break;
#endif
#if STREAMS > 3
    case 4:
        compress_n(state, data, blocks, 4);
        break;
#endif
    }
}

/* Its name has the number: armv8x1 to armv8x4. */
#define KERNEL_OF(streams) SHA256_KERNEL(armv8x##streams)
#define NAME_OF(streams) "armv8x" #streams
#define KERNEL(streams) KERNEL_OF(streams)
#define NAME(streams) NAME_OF(streams)

const struct sha256_kernel KERNEL(STREAMS) = {
    .name = NAME(STREAMS),
    .lanes = STREAMS,
    .usable = usable,
    .compress = compress,
};
