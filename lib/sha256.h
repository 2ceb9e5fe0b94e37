/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SHA-256 of several messages of the same length at once (FIPS 180-4).
 *
 * SHA-256 of one message is a chain of additions, each of which needs the
 * result of the one before. With several messages a core can work on one while
 * it waits for another. A kernel does that for some feature of a CPU: it hashes
 * up to `lanes` messages side by side. A file, sha256-NAME.c, defines
 * SHA256_KERNEL(NAME), or several; lib/meson.build lists them. sha256.c does
 * what is the same for all: initial values, padding and output.
 */
#ifndef LIB_SHA256_H
#define LIB_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/names.h"
#include "lib/parts.h"

#define SHA256_SIZE 32
#define SHA256_BLOCK 64
#define SHA256_WORDS 8
#define SHA256_MAX_LANES 16

/* The hash values H0 to H7: a row for each, a column for each lane. */
struct sha256_state {
    _Alignas(64) uint32_t word[SHA256_WORDS][SHA256_MAX_LANES];
};

struct sha256_kernel {
    const char *name; /* the value of BLKHASH_SHA256 that selects it */
    unsigned lanes;

    /* Whether this CPU and its operating system can run it. */
    bool (*usable)(void);

    /*
     * Run the compression function over `blocks` 64-byte blocks of each of
     * the first `count` (at most lanes) messages at data[]. data[] has `lanes`
     * valid pointers, even if count is smaller.
     */
    void (*compress)(struct sha256_state *state, const uint8_t *const data[],
                     unsigned count, size_t blocks);
};

/* A kernel's symbol, with the prefix of lib/names.h. */
#define SHA256_KERNEL(name) blkhash_inner_sha256_##name

/* All kernels of this build. */
#define DECLARE_KERNEL(name)                                                   \
    extern const struct sha256_kernel SHA256_KERNEL(name);
SHA256_KERNELS(DECLARE_KERNEL)
#undef DECLARE_KERNEL

/* The round constants. */
extern const uint32_t sha256_k[64];

/*
 * How many of n messages a kernel should get in the next call: at most `lanes`,
 * and about the same number in each call, so that the last one is not nearly
 * empty. NULL is OpenSSL, which takes one.
 */
unsigned sha256_group(const struct sha256_kernel *kernel, size_t n);

/* Hash count messages of len bytes each; count is 1 to kernel->lanes. */
void sha256_hash(const struct sha256_kernel *kernel,
                 const uint8_t *const messages[], unsigned count, size_t len,
                 unsigned char *const mds[]);

#endif
