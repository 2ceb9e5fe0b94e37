/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SHA-256 with vectors. Lane i of each vector belongs to message i. The steps
 * are those of FIPS 180-4, section 6.2.2.
 *
 * A file that includes this header defines first:
 *
 *   V                      the vector type
 *   LANES                  the number of 32-bit words in a vector
 *   ADD(a, b)  ROR(a, n)  SHR(a, n)  XOR3(a, b, c)  CH(e, f, g)  MAJ(a, b, c)
 *   SET1(x)                a vector of x
 *   LOAD(p)  STORE(p, v)   from and to the rows of the state, which are aligned
 *   load_words(w, data, offset)
 *                          w[j] = word j, as a number, of the 64-byte block at
 *                          data[i] + offset in lane i
 */
#ifndef LIB_SHA256_VECTOR_H
#define LIB_SHA256_VECTOR_H

#include "lib/sha256.h"

#include <immintrin.h>

/* How far ahead to prefetch, in bytes. Each lane reads another place of memory,
 * and hardware prefetchers do not follow so many. */
#define PREFETCH_AHEAD 512

#define SIGMA0(x) XOR3(ROR(x, 2), ROR(x, 13), ROR(x, 22))
#define SIGMA1(x) XOR3(ROR(x, 6), ROR(x, 11), ROR(x, 25))
#define sigma0(x) XOR3(ROR(x, 7), ROR(x, 18), SHR(x, 3))
#define sigma1(x) XOR3(ROR(x, 17), ROR(x, 19), SHR(x, 10))

#define ROUND(a, b, c, d, e, f, g, h, r)                                       \
    do {                                                                       \
        V t1 =                                                                 \
            ADD(ADD(ADD(h, ADD(SET1(sha256_k[r]), w[(r) % 16])), CH(e, f, g)), \
                SIGMA1(e));                                                    \
        d = ADD(d, t1);                                                        \
        h = ADD(ADD(t1, MAJ(a, b, c)), SIGMA0(a));                             \
    } while (0)

/* Store word r + 16 of the message schedule in the place of word r. */
#define SCHEDULE(r)                                                            \
    (w[(r) % 16] =                                                             \
         ADD(ADD(w[(r) % 16], w[((r) + 9) % 16]),                              \
             ADD(sigma0(w[((r) + 1) % 16]), sigma1(w[((r) + 14) % 16]))))

#define ROUND_AND_SCHEDULE(a, b, c, d, e, f, g, h, r)                          \
    do {                                                                       \
        ROUND(a, b, c, d, e, f, g, h, r);                                      \
        SCHEDULE(r);                                                           \
    } while (0)

#define EIGHT(STEP, r)                                                         \
    do {                                                                       \
        STEP(a, b, c, d, e, f, g, h, (r) + 0);                                 \
        STEP(h, a, b, c, d, e, f, g, (r) + 1);                                 \
        STEP(g, h, a, b, c, d, e, f, (r) + 2);                                 \
        STEP(f, g, h, a, b, c, d, e, (r) + 3);                                 \
        STEP(e, f, g, h, a, b, c, d, (r) + 4);                                 \
        STEP(d, e, f, g, h, a, b, c, (r) + 5);                                 \
        STEP(c, d, e, f, g, h, a, b, (r) + 6);                                 \
        STEP(b, c, d, e, f, g, h, a, (r) + 7);                                 \
    } while (0)

static void compress(struct sha256_state *state, const uint8_t *const data[],
                     unsigned count, size_t blocks)
{
    V a = LOAD(state->word[0]), b = LOAD(state->word[1]);
    V c = LOAD(state->word[2]), d = LOAD(state->word[3]);
    V e = LOAD(state->word[4]), f = LOAD(state->word[5]);
    V g = LOAD(state->word[6]), h = LOAD(state->word[7]);

    (void)count; /* the other lanes cost nothing; their results are not used */

    for (size_t block = 0; block < blocks; block++) {
        const V a0 = a, b0 = b, c0 = c, d0 = d, e0 = e, f0 = f, g0 = g, h0 = h;
        V w[16];

        load_words(w, data, block * SHA256_BLOCK);
        for (unsigned i = 0; i < LANES; i++)
            _mm_prefetch((const char *)data[i] + block * SHA256_BLOCK +
                             PREFETCH_AHEAD,
                         _MM_HINT_T0);

        EIGHT(ROUND_AND_SCHEDULE, 0);
        EIGHT(ROUND_AND_SCHEDULE, 8);
        EIGHT(ROUND_AND_SCHEDULE, 16);
        EIGHT(ROUND_AND_SCHEDULE, 24);
        EIGHT(ROUND_AND_SCHEDULE, 32);
        EIGHT(ROUND_AND_SCHEDULE, 40);
        EIGHT(ROUND, 48);
        EIGHT(ROUND, 56);

        a = ADD(a, a0), b = ADD(b, b0), c = ADD(c, c0), d = ADD(d, d0);
        e = ADD(e, e0), f = ADD(f, f0), g = ADD(g, g0), h = ADD(h, h0);
    }

    STORE(state->word[0], a), STORE(state->word[1], b);
    STORE(state->word[2], c), STORE(state->word[3], d);
    STORE(state->word[4], e), STORE(state->word[5], f);
    STORE(state->word[6], g), STORE(state->word[7], h);
}

#endif
