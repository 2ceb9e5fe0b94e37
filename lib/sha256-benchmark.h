/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_SHA256_BENCHMARK_H
#define LIB_SHA256_BENCHMARK_H

#include <stdint.h>

#include "lib/sha256.h"

/* The length of the messages that are hashed, in bytes. */
#define SHA256_BENCHMARK_MESSAGE 1024

/*
 * Measure a kernel: ns[n] becomes the time in nanoseconds that it takes for n
 * messages, n up to SHA256_MAX_LANES. NULL is OpenSSL, which hashes one message
 * after the other. The benchmark takes some 30 microseconds.
 *
 * Returns 0 or a positive errno value; only OpenSSL can fail.
 */
int sha256_benchmark(const struct sha256_kernel *kernel,
                     uint64_t ns[SHA256_MAX_LANES + 1]);

#endif
