/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The choice of the kernel that hashes a group of messages.
 *
 * The fastest kernel depends on the model of the CPU, not only on its features:
 * it is that of the SHA extensions and AVX-512 on Zen 4, that of AVX-512 on
 * Sapphire Rapids. So the library measures the kernels, and needs no table of
 * CPUs.
 */
#ifndef LIB_SHA256_DISPATCH_H
#define LIB_SHA256_DISPATCH_H

#include <stddef.h>
#include <stdint.h>

#include "lib/sha256.h"

/* All kernels of this build, also those that the CPU cannot run. The last one
 * is NULL: OpenSSL, one message at a time. */
extern const struct sha256_kernel *const sha256_kernels[];
extern const size_t sha256_kernel_count;

/* "openssl" for NULL. */
const char *sha256_kernel_name(const struct sha256_kernel *kernel);

/* Whether this CPU and its operating system can run it. */
bool sha256_kernel_usable(const struct sha256_kernel *kernel);

/* For each number of messages, the fastest kernel. best[0] is not used. */
struct sha256_dispatch {
    const struct sha256_kernel *best[SHA256_MAX_LANES + 1];
};

/*
 * Measure some kernels, and choose among them. ns[i] becomes the time of kernel
 * i in nanoseconds for SHA256_MAX_LANES messages. A kernel that the CPU cannot
 * run, or that fails, is left out, and its ns[i] is 0. If all fail, returns the
 * error of the first.
 */
int sha256_choose(const struct sha256_kernel *const kernels[], size_t count,
                  struct sha256_dispatch *dispatch, uint64_t ns[]);

/*
 * The dispatch of this process. The first call measures, which takes some 100
 * microseconds, or takes the kernel that the environment variable
 * BLKHASH_SHA256 names. ENOTSUP: this machine has no such kernel. Thread-safe.
 */
int sha256_get_dispatch(const struct sha256_dispatch **dispatch);

#endif
