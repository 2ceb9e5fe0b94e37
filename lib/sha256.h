/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SHA-256 of several messages of the same length at once (FIPS 180-4).
 *
 * One message is a chain of additions, each waiting for the one before; a core
 * that works on several messages has something to do while it waits. A kernel
 * is one way to do that with the instructions of a CPU: it advances up to
 * `lanes` messages side by side. Each has a file, sha256-NAME.c, which defines
 * SHA256_KERNEL(NAME); lib/meson.build lists the names. sha256.c does what is
 * the same for all: initial values, padding and output.
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
 * How many of n messages to give to one call of a kernel: up to its number of
 * lanes, and about the same number in each call, so that the last call is not
 * left with one. NULL is OpenSSL, which takes one.
 */
unsigned sha256_group(const struct sha256_kernel *kernel, size_t n);

/* The digests of count messages (at most kernel->lanes), each of len bytes. */
void sha256_hash(const struct sha256_kernel *kernel,
                 const uint8_t *const messages[], unsigned count, size_t len,
                 unsigned char *const mds[]);

#endif
