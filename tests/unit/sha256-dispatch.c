/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernels of this machine, and the choice among them. A process chooses
 * once, so this program also runs with each value of BLKHASH_SHA256.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "blkhash.h"
#include "lib/sha256-benchmark.h"
#include "lib/sha256-dispatch.h"

static const char *forced(void)
{
    return getenv("BLKHASH_SHA256");
}

/* For each number of messages, the kernel can run, and is the one that is
 * forced. */
static void test_choice_is_usable(void **state)
{
    const struct sha256_dispatch *dispatch;

    (void)state;
    assert_int_equal(sha256_get_dispatch(&dispatch), 0);
    for (unsigned n = 1; n <= SHA256_MAX_LANES; n++) {
        test_case("%u messages", n);
        assert_true(sha256_kernel_usable(dispatch->best[n]));
        if (forced())
            assert_string_equal(sha256_kernel_name(dispatch->best[n]),
                                forced());
    }
}

static void test_list_is_of_usable_kernels(void **state)
{
    const char *const *names = blkhash_kernels();
    size_t listed = 0;

    (void)state;
    assert_ptr_equal(names, blkhash_kernels());
    for (size_t k = 0; k < sha256_kernel_count; k++) {
        const struct sha256_kernel *kernel = sha256_kernels[k];

        if (sha256_kernel_usable(kernel))
            assert_string_equal(names[listed++], sha256_kernel_name(kernel));
    }
    assert_null(names[listed]);
    assert_string_equal(names[listed - 1], "openssl");
}

/* A leaf uses the fastest kernel of the list. */
static void test_leaf_has_the_fastest(void **state)
{
    const char *const *names = blkhash_kernels();
    struct blkhash_leaf *leaf = blkhash_leaf_new(4096, "sha256");
    const char *kernel = blkhash_leaf_kernel(leaf);
    bool listed = false;

    (void)state;
    for (size_t i = 0; names[i]; i++) {
        uint64_t speed = blkhash_kernel_speed(names[i]);

        assert_true(forced() ? speed == 0 : speed > 0);
        assert_true(speed <= blkhash_kernel_speed(kernel));
        listed |= strcmp(names[i], kernel) == 0;
    }
    assert_true(listed);
    blkhash_leaf_free(leaf);
}

static void test_speed_of_no_kernel(void **state)
{
    (void)state;
    assert_int_equal(blkhash_kernel_speed("nosuch"), 0);
    assert_int_equal(blkhash_kernel_speed(""), 0);
    assert_int_equal(blkhash_kernel_speed(NULL), 0);
}

static void test_benchmark_of_each_kernel(void **state)
{
    (void)state;
    for (size_t k = 0; k < sha256_kernel_count; k++) {
        uint64_t ns[SHA256_MAX_LANES + 1];

        if (!sha256_kernel_usable(sha256_kernels[k]))
            continue;
        assert_int_equal(sha256_benchmark(sha256_kernels[k], ns), 0);
        assert_int_equal(ns[0], 0);
        for (unsigned n = 1; n <= SHA256_MAX_LANES; n++)
            assert_true(ns[n] > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice_is_usable),
        cmocka_unit_test(test_list_is_of_usable_kernels),
        cmocka_unit_test(test_leaf_has_the_fastest),
        cmocka_unit_test(test_speed_of_no_kernel),
        cmocka_unit_test(test_benchmark_of_each_kernel),
    };

    return RUN_WITH_KERNEL(tests);
}
