/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdlib.h>

#include "common/array.h"
#include "format/ranges.h"

#define SIZE 40

/* Compare each answer with a map of bytes that are in use. */
static void check(const struct range *added, size_t count)
{
    struct ranges ranges = { 0 };
    bool used[SIZE] = { false };

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(
            ranges_add(&ranges, added[i].start, added[i].end - added[i].start),
            0);
        for (uint64_t at = added[i].start; at < added[i].end; at++)
            used[at] = true;
    }
    ranges_sort(&ranges);
    for (uint64_t start = 0; start < SIZE; start++) {
        bool overlap = false;

        for (uint64_t end = start + 1; end <= SIZE; end++) {
            test_case("%zu ranges: from %d to %d", count, (int)start, (int)end);
            overlap = overlap || used[end - 1];
            assert_int_equal(ranges_overlap(&ranges, start, end - start),
                             overlap);
        }
    }
    ranges_free(&ranges);
}

static void test_few(void **state)
{
    static const struct range list[] = { { 10, 20 }, { 20, 21 }, { 30, 30 },
                                         { 5, 8 },   { 12, 15 }, { 7, 11 },
                                         { 39, 40 }, { 0, 1 } };

    (void)state;
    for (size_t i = 0; i <= ARRAY_SIZE(list); i++)
        check(list, i);
}

static void test_random(void **state)
{
    (void)state;
    srand(7);
    for (int round = 0; round < 50; round++) {
        struct range list[40];
        size_t count = (size_t)(rand() % (int)ARRAY_SIZE(list));

        for (size_t i = 0; i < count; i++) {
            list[i].start = (uint64_t)(rand() % SIZE);
            list[i].end =
                list[i].start + (uint64_t)rand() % (SIZE - list[i].start + 1);
            if (list[i].end - list[i].start > 4)
                list[i].end = list[i].start + 4;
        }
        check(list, count);
    }
}

static void test_large_numbers(void **state)
{
    struct ranges ranges = { 0 };

    (void)state;
    assert_int_equal(ranges_add(&ranges, UINT64_MAX - 10, 10), 0);
    assert_int_equal(ranges_add(&ranges, 0, 10), 0);
    ranges_sort(&ranges);
    assert_true(ranges_overlap(&ranges, 0, UINT64_MAX));
    assert_true(ranges_overlap(&ranges, UINT64_MAX - 1, 1));
    assert_false(ranges_overlap(&ranges, 10, UINT64_MAX - 20));
    ranges_free(&ranges);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_large_numbers),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
