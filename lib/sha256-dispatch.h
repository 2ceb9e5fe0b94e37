/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which kernel hashes a group of messages.
 *
 * Which one is fastest depends on the make of the CPU, not only on its
 * features: the SHA extensions on Zen 4, AVX-512 on Sapphire Rapids. So the
 * kernels that the CPU has are measured, which needs no table of CPUs.
 */
#ifndef LIB_SHA256_DISPATCH_H
#define LIB_SHA256_DISPATCH_H

#include <stddef.h>
#include <stdint.h>

#include "lib/sha256.h"

/* All kernels of this build, whether the CPU has them or not. NULL is OpenSSL,
 * one message at a time; it stands last. */
extern const struct sha256_kernel *const sha256_kernels[];
extern const size_t sha256_kernel_count;

/* "openssl" for NULL. */
const char *sha256_kernel_name(const struct sha256_kernel *kernel);

/* Whether this machine has it. */
bool sha256_kernel_usable(const struct sha256_kernel *kernel);

/* The fastest kernel for n messages, n up to SHA256_MAX_LANES. */
struct sha256_dispatch {
    const struct sha256_kernel *best[SHA256_MAX_LANES + 1];
};

/*
 * Measure some kernels and choose. ns[i] becomes the nanoseconds of kernel i
 * for SHA256_MAX_LANES messages. A kernel that this machine does not have, or
 * that fails, is left out, and its ns[i] is 0. When all fail, the error of the
 * first.
 */
int sha256_choose(const struct sha256_kernel *const kernels[], size_t count,
                  struct sha256_dispatch *dispatch, uint64_t ns[]);

/*
 * The dispatch of this process. The first call measures, for some 100
 * microseconds, or obeys the environment variable BLKHASH_SHA256, the name of a
 * kernel. ENOTSUP: this machine has no kernel of that name. Thread-safe.
 */
int sha256_get_dispatch(const struct sha256_dispatch **dispatch);

#endif
