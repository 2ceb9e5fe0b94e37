/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/estimate.h"
#include "test.h"

#include "common/units.h"

static double estimate(uint64_t done, uint64_t unread, uint64_t size,
                       uint64_t allocated)
{
    const struct engine_progress p = { .done = done,
                                       .size = size,
                                       .unread = unread };

    return estimate_left(&p, allocated, 10);
}

static void assert_about(double value, double expected)
{
    if (value < expected * 0.99 - 0.01 || value > expected * 1.01 + 0.01)
        fail_msg("%f, not %f", value, expected);
}

static void test_all_is_data(void **state)
{
    (void)state;
    assert_about(estimate(GiB, 0, 4 * GiB, 4 * GiB), 30);
    assert_about(estimate(GiB, 0, 4 * GiB, 0), 30);
    assert_about(estimate(4 * GiB, 0, 4 * GiB, 4 * GiB), 0);
}

/* The rest is a hole, or the first part was one. */
static void test_holes_take_no_time(void **state)
{
    (void)state;
    assert_about(estimate(GiB, 0, 100 * GiB, 2 * GiB), 10.5);
    assert_about(estimate(99 * GiB, 98 * GiB, 100 * GiB, 2 * GiB), 9.5);
    assert_about(estimate(10 * GiB, 5 * GiB, 20 * GiB, 0), 10);
}

static void test_only_holes(void **state)
{
    (void)state;
    assert_about(estimate(GiB, GiB, 4 * GiB, 0), 30);
    assert_about(estimate(GiB, GiB, 4 * GiB, 4096), 30);
}

/* What is allocated is a guess: files of a chain hide parts of each other, and
 * a file system may compress. */
static void test_wrong_allocation(void **state)
{
    (void)state;
    assert_about(estimate(GiB, 0, 2 * GiB, 100 * GiB), 10);
    assert_about(estimate(GiB, 0, 2 * GiB, MiB), 0);
}

static void test_nothing_is_known(void **state)
{
    (void)state;
    assert_true(estimate(0, 0, GiB, GiB) < 0);
    assert_true(estimate(GiB, 0, 0, 0) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_data),
        cmocka_unit_test(test_holes_take_no_time),
        cmocka_unit_test(test_only_holes),
        cmocka_unit_test(test_wrong_allocation),
        cmocka_unit_test(test_nothing_is_known),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
