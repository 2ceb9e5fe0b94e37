/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_SHA256_BENCHMARK_H
#define LIB_SHA256_BENCHMARK_H

#include <stdint.h>

#include "lib/sha256.h"

/* Bytes in each message of the benchmark. */
#define SHA256_BENCHMARK_MESSAGE 1024

/*
 * Measure a kernel: ns[n] becomes the nanoseconds that it takes for n messages,
 * from 1 to SHA256_MAX_LANES. NULL: OpenSSL, one message after the other. Takes
 * some 30 microseconds. 0 or a positive errno value: only OpenSSL can fail.
 */
int sha256_benchmark(const struct sha256_kernel *kernel,
                     uint64_t ns[SHA256_MAX_LANES + 1]);

#endif
