/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>

#include "list/difference.h"

static struct difference taken[10];
static size_t count;

static int take(void *arg, const struct difference *d, struct error *error)
{
    assert_ptr_equal(arg, taken);
    if (count == ARRAY_SIZE(taken))
        return error_set(error, ENOSPC, "full");
    taken[count++] = *d;
    return 0;
}

static void check(size_t n, uint64_t offset, uint64_t length,
                  enum difference_kind kind)
{
    assert_int_equal(taken[n].offset, offset);
    assert_int_equal(taken[n].length, length);
    assert_int_equal(taken[n].kind, kind);
}

/* Neighbours of one kind are one range; others are not. */
static void test_ranges(void **state)
{
    struct differences d = { .take = take, .arg = taken };
    struct error error = ERROR_INIT;
    static const struct {
        uint64_t length;
        enum difference_kind kind;
    } steps[] = {
        { 10, DIFFERENCE_BYTES },    { 0, DIFFERENCE_NONE },
        { 5, DIFFERENCE_BYTES },     { 0, DIFFERENCE_ZERO_IN_A },
        { 7, DIFFERENCE_BYTES },     { 3, DIFFERENCE_ZERO_IN_B },
        { 1, DIFFERENCE_ZERO_IN_A }, { 100, DIFFERENCE_NONE },
        { 1, DIFFERENCE_ZERO_IN_A }, { UINT64_C(1) << 60, DIFFERENCE_NONE },
        { 9, DIFFERENCE_ONLY_IN_B },
    };

    (void)state;
    count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
        assert_int_equal(
            differences_add(&d, steps[i].length, steps[i].kind, &error), 0);
    assert_int_equal(count, 4);
    assert_int_equal(differences_end(&d, &error), 0);
    assert_int_equal(differences_end(&d, &error), 0);
    assert_int_equal(count, 5);
    check(0, 0, 22, DIFFERENCE_BYTES);
    check(1, 22, 3, DIFFERENCE_ZERO_IN_B);
    check(2, 25, 1, DIFFERENCE_ZERO_IN_A);
    check(3, 126, 1, DIFFERENCE_ZERO_IN_A);
    check(4, 127 + (UINT64_C(1) << 60), 9, DIFFERENCE_ONLY_IN_B);
    assert_int_equal(d.bytes, 36);
}

static void test_stop(void **state)
{
    struct differences d = { .stop = true };
    struct error error = ERROR_INIT;

    (void)state;
    assert_int_equal(differences_add(&d, 1000, DIFFERENCE_NONE, &error), 0);
    assert_int_equal(differences_add(&d, 0, DIFFERENCE_BYTES, &error), 0);
    assert_int_equal(d.bytes, 0);
    assert_int_equal(differences_add(&d, 1, DIFFERENCE_BYTES, &error),
                     ECANCELED);
    assert_int_equal(d.bytes, 1);
    error_clear(&error);
}

/* The error of the one who takes the ranges. */
static void test_error(void **state)
{
    struct differences d = { .take = take, .arg = taken };
    struct error error = ERROR_INIT;

    (void)state;
    count = ARRAY_SIZE(taken);
    assert_int_equal(differences_add(&d, 1, DIFFERENCE_BYTES, &error), 0);
    assert_int_equal(differences_add(&d, 1, DIFFERENCE_ZERO_IN_A, &error),
                     ENOSPC);
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_error),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
