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

/*
 * Run a group of tests. Where BLKHASH_SHA256 asks for a kernel that this CPU
 * does not have, they are skipped.
 */
#define RUN_WITH_KERNEL(tests)                                                 \
    (kernel_is_missing() ? 0 : cmocka_run_group_tests(tests, NULL, NULL))

bool kernel_is_missing(void);

/* Compare with a digest in hex. */
void assert_hex(const unsigned char *md, unsigned len, const char *hex);

#endif
