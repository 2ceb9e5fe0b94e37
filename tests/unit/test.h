/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What unit tests share: cmocka, an oracle, and bytes.
 */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/array.h"

/* H(buf), by OpenSSL alone. Returns the length of the digest. */
unsigned oracle_digest(const char *digest, const void *buf, size_t len,
                       unsigned char *md);

/* The checksum of len bytes, as the definition says it and no faster. Returns
 * the length. */
unsigned oracle_checksum(const char *digest, size_t block_size, const void *buf,
                         size_t len, unsigned char *md);

/* A generator of numbers, the same at each run. */
uint32_t random_number(void);

/* Fill with bytes of which no two neighbouring pages are alike. */
void random_fill(void *buf, size_t len);

/* Fill with runs of zeros and of other bytes, at unaligned places. */
void random_mixture(unsigned char *buf, size_t len, size_t longest_run);

/* Whether a size can be longer than a disk: not where it has 32 bits. */
#define SIZES_ARE_LARGE (SIZE_MAX > UINT32_MAX)

/*
 * Say which case comes next, where a test has many: "size %zu, threads %u".
 * Where the test fails, crashes or is ended by a sanitizer, its last case is
 * printed.
 */
void test_case(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Run tests, with a setup and a teardown for all of them, or NULL. */
#define RUN_TESTS(tests, setup, teardown)                                      \
    run_group(#tests, tests, ARRAY_SIZE(tests), setup, teardown)

/*
 * Run a group of tests with the kernel that BLKHASH_SHA256 asks for. Where this
 * CPU does not have it, they are skipped.
 */
#define RUN_WITH_KERNEL(tests)                                                 \
    (kernel_is_missing() ? 0 : RUN_TESTS(tests, NULL, NULL))

int run_group(const char *name, const struct CMUnitTest *tests, size_t count,
              CMFixtureFunction setup, CMFixtureFunction teardown);

bool kernel_is_missing(void);

/* Compare with a digest in hex. */
void assert_hex(const unsigned char *md, unsigned len, const char *hex);

#endif
