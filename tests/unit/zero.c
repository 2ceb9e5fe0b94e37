/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <string.h>

#include "lib/zero.h"

/* A byte that is not zero is found at each place and alignment, but not before
 * or after the range. */
static void test_every_place(void **state)
{
    unsigned char buf[400];

    (void)state;
    for (size_t start = 1; start < 34; start++) {
        for (size_t len = 0; len < 330; len += len < 70 ? 1 : 13) {
            test_case("%zu bytes from %zu", len, start);
            memset(buf, 0xff, sizeof(buf));
            memset(buf + start, 0, len);
            assert_true(is_zero(buf + start, len));
            for (size_t i = 0; i < len; i++) {
                buf[start + i] = 1 << (i % 8);
                assert_false(is_zero(buf + start, len));
                buf[start + i] = 0;
            }
        }
    }
}

static void test_digest_of_zeros(void **state)
{
    static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 65536, 100000 };
    static const unsigned char zeros[100000];
    unsigned char md[BLKHASH_MAX_MD_SIZE], expected[32];
    struct digest *digest;
    struct digest_ctx *ctx;

    (void)state;
    assert_int_equal(digest_open("sha256", &digest), 0);
    ctx = digest_ctx_new(digest);
    assert_non_null(ctx);
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        test_case("%zu zeros", sizes[i]);
        oracle_digest("sha256", zeros, sizes[i], expected);
        /* The second answer is remembered. */
        for (int again = 0; again < 2; again++) {
            assert_int_equal(zero_digest(ctx, "sha256", sizes[i], md), 0);
            assert_memory_equal(md, expected, sizeof(expected));
        }
    }
    digest_ctx_free(ctx);
    digest_close(digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_place),
        cmocka_unit_test(test_digest_of_zeros),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
