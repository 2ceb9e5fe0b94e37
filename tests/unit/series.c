/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/series.h"
#include "test.h"

#include "common/units.h"

static void assert_about(double value, double expected)
{
    if (value < expected * 0.99 - 0.01 || value > expected * 1.01 + 0.01)
        fail_msg("%f, not %f", value, expected);
}

/* A series of known sizes, whose current image is number `index`. */
static struct series begin(const uint64_t *sizes, uint64_t count,
                           uint64_t index)
{
    struct series s = { .count = count, .has_sizes = true };

    for (uint64_t i = 0; i < count; i++)
        s.all += series_size(sizes[i]);
    for (uint64_t i = 0; i < index; i++)
        series_next(&s, series_size(sizes[i]));
    return s;
}

/* A large image takes longer than a small one. */
static void test_sizes(void **state)
{
    static const uint64_t sizes[] = { GiB, 3 * GiB, 4 * GiB };
    struct series s = begin(sizes, 3, 1);

    (void)state;
    assert_true(series_left(&s, 0, 10) < 0);
    assert_about(series_left(&s, 0.5, 10), 150);
    s = begin(sizes, 3, 2);
    assert_about(series_left(&s, 0, 10), 70);
    s = begin(sizes, 3, 3);
    assert_about(series_left(&s, 1, 10), 0);
}

/* Images without data take time, too. */
static void test_empty_images(void **state)
{
    static const uint64_t sizes[] = { 0, 0, 0, 0 };
    struct series s = begin(sizes, 4, 2);

    (void)state;
    assert_about(series_left(&s, 0, 10), 30);
}

/* Then the first image tells nothing of the others. */
static void test_without_sizes(void **state)
{
    struct series s = { .count = 5 };

    (void)state;
    series_next(&s, GiB);
    assert_true(series_left(&s, 0.9, 10) < 0);
    series_next(&s, MiB);
    assert_about(series_left(&s, 0, 10), 40);
    assert_about(series_left(&s, 0.5, 15), 35);
}

/* A small overlay is no small image. */
static void test_backing_files(void **state)
{
    static const uint64_t sizes[] = { GiB, MiB, MiB, MiB };
    struct series s = begin(sizes, 4, 2);

    (void)state;
    series_found(&s, 0);
    assert_true(s.has_sizes);
    series_found(&s, MiB + 4096);
    assert_true(s.has_sizes);
    series_found(&s, GiB);
    assert_about(series_left(&s, 0, 10), 30);
}

static void test_unknown_count(void **state)
{
    struct series s = { .count = 0 };

    (void)state;
    assert_false(series_has_several(&s));
    for (int i = 0; i < 3; i++) {
        series_next(&s, MiB);
        assert_true(series_has_several(&s));
        assert_true(series_left(&s, 0.5, 10) < 0);
    }
}

/* The list has more images than were counted, or the files have grown. */
static void test_wrong_count(void **state)
{
    static const uint64_t sizes[] = { MiB, MiB };
    struct series s = begin(sizes, 2, 2);

    (void)state;
    series_next(&s, MiB);
    assert_true(series_left(&s, 0, 10) < 0);
    s = begin(sizes, 2, 1);
    series_next(&s, GiB);
    assert_true(series_left(&s, 0.5, 10) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_empty_images),
        cmocka_unit_test(test_without_sizes),
        cmocka_unit_test(test_backing_files),
        cmocka_unit_test(test_unknown_count),
        cmocka_unit_test(test_wrong_count),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
