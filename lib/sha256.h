/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SHA-256 of several messages of the same length at once (FIPS 180-4).
 *
 * One message is a chain of additions, each waiting for the one before; a core
 * that works on several messages has something to do while it waits. A kernel
 * is one way to do that with the instructions of a CPU: it advances up to
 * `lanes` messages side by side. sha256.c does what is the same for all of
 * them: initial values, padding, output, and the choice of a kernel.
 */
#ifndef LIB_SHA256_H
#define LIB_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/names.h"

#define SHA256_SIZE 32
#define SHA256_BLOCK 64
#define SHA256_WORDS 8
#define SHA256_MAX_LANES 16

/* The hash values H0..H7 of every lane, a row for each word. */
struct sha256_state {
    _Alignas(64) uint32_t word[SHA256_WORDS][SHA256_MAX_LANES];
};

struct sha256_kernel {
    const char *name; /* the value of BLKHASH_SHA256 that forces it */
    unsigned lanes;

    /* Whether this CPU and its operating system can run it. */
    bool (*usable)(void);

    /*
     * Run the compression function over `blocks` 64-byte blocks of each of
     * the first `count` (at most lanes) messages at data[]. data[] has `lanes`
     * valid pointers, also where count is less.
     */
    void (*compress)(struct sha256_state *state, const uint8_t *const data[],
                     unsigned count, size_t blocks);
};

extern const struct sha256_kernel sha256_shani;
extern const struct sha256_kernel sha256_avx512;
extern const struct sha256_kernel sha256_avx2;

/* The round constants. */
extern const uint32_t sha256_k[64];

/* Which kernel hashes best a group of n messages, n up to SHA256_MAX_LANES.
 * NULL: OpenSSL, one by one. */
struct sha256_choice {
    const struct sha256_kernel *best[SHA256_MAX_LANES + 1];
};

/*
 * The choice for this machine. The first call measures the kernels that the
 * CPU has, for some 100 microseconds; which one wins depends on the make of
 * the CPU (SHA-NI on Zen 4, AVX-512 on Sapphire Rapids), and a race needs no
 * table of models. The environment variable BLKHASH_SHA256 forces "shani",
 * "avx512", "avx2" or "openssl"; ENOTSUP when this machine has no such kernel.
 * Thread-safe.
 */
int sha256_choose(const struct sha256_choice **choice);

/*
 * Find the fastest of some kernels, where NULL is OpenSSL, for each number of
 * messages. Those that this CPU does not have, or that fail, are left out; when
 * all fail, the error of the first.
 */
int sha256_race(const struct sha256_kernel *const candidates[], size_t count,
                struct sha256_choice *choice);

/*
 * How many of n messages to give to one call of a kernel: as many as it has
 * lanes, but the same number in each call, so that the last is not left alone.
 */
unsigned sha256_group(const struct sha256_kernel *kernel, size_t n);

/* The digests of count messages (at most kernel->lanes), each of len bytes. */
void sha256_hash(const struct sha256_kernel *kernel,
                 const uint8_t *const messages[], unsigned count, size_t len,
                 unsigned char *const mds[]);

#endif
