/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/change-map.h"
#include "test.h"

#include <string.h>

#define UNIT 512
#define UNITS 200

/* Compare with what was added: a letter for each unit, # changed, . not. */
static void check(struct changes *changes, uint64_t size, uint64_t step,
                  const char *expected)
{
    struct error error = ERROR_INIT;

    for (uint64_t offset = 0; offset < size;) {
        uint64_t length = size - offset < step ? size - offset : step;
        struct change change;

        assert_int_equal(changes_next(changes, offset, length, &change, &error),
                         0);
        for (uint64_t end = offset + change.length; offset < end; offset++)
            assert_int_equal(expected[offset / UNIT] == '#', change.changed);
    }
}

static struct changes *finish(struct change_map *map)
{
    assert_non_null(map);
    return change_map_finish(map);
}

static void test_changes(void **state)
{
    (void)state;
    for (uint64_t step = 1; step < 6 * UNIT; step += 511) {
        struct change_map *map =
            change_map_new(8 * UNIT - 1, DEFAULT_UNCHANGED);
        struct changes *changes;

        /* In any order, with overlaps, each a part of a unit. */
        change_map_add(map, 5 * UNIT + 10, 5, true);
        change_map_add(map, 1 * UNIT + 511, 2, true);
        change_map_add(map, 2 * UNIT, UNIT, true);
        change_map_add(map, 7 * UNIT + 510, 1, true);
        change_map_add(map, 3 * UNIT, 0, true);
        change_map_add(map, 5 * UNIT, 2 * UNIT, false);
        changes = finish(map);
        check(changes, 8 * UNIT - 1, step, ".##..#.#");
        changes_free(changes);
    }
}

/* A unit has not changed if all of it is said not to have, in one range or in
 * several that follow each other. */
static void test_not_changed(void **state)
{
    struct change_map *map = change_map_new(10 * UNIT - 1, DEFAULT_CHANGED);
    struct changes *changes;

    (void)state;
    change_map_add(map, 0, UNIT + 100, false);
    change_map_add(map, UNIT + 100, UNIT - 100, false);
    change_map_add(map, 2 * UNIT + 1, 2 * UNIT - 1, false);
    change_map_add(map, 4 * UNIT, 2 * UNIT - 1, false);
    change_map_add(map, 8 * UNIT + 1, 2 * UNIT - 2, false);
    change_map_add(map, 7 * UNIT, 0, false);
    change_map_add(map, 6 * UNIT, UNIT, false);
    change_map_add(map, 4 * UNIT + 1, 1, true);
    changes = finish(map);
    check(changes, 10 * UNIT - 1, 10 * UNIT, "..#.##.##.");
    changes_free(changes);
}

static void test_random(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        bool all = random_number() % 2;
        uint64_t units = random_number() % UNITS + 1;
        struct change_map *map = change_map_new(
            units * UNIT, all ? DEFAULT_CHANGED : DEFAULT_UNCHANGED);
        char expected[UNITS];
        bool dirty[UNITS] = { false };
        struct changes *changes;

        test_case("round %d", round);
        memset(expected, all ? '#' : '.', units);
        for (unsigned i = random_number() % 20; i > 0; i--) {
            uint64_t first = random_number() % units;
            uint64_t count = random_number() % (units - first) + 1;
            bool changed = random_number() % 2;

            change_map_add(map, first * UNIT, count * UNIT, changed);
            for (uint64_t u = first; u < first + count; u++) {
                dirty[u] = dirty[u] || changed;
                expected[u] = dirty[u] ? '#' : '.';
            }
        }
        changes = finish(map);
        check(changes, units * UNIT, random_number() % 100000 + 1, expected);
        changes_free(changes);
    }
}

/* The units of the largest disk are 16 GiB, and answers are as long. */
static void test_largest(void **state)
{
    struct change_map *map = change_map_new(INT64_MAX, DEFAULT_CHANGED);
    struct error error = ERROR_INIT;
    struct changes *changes;
    struct change change;
    uint64_t unit = UINT64_C(1) << 34;

    (void)state;
    change_map_add(map, 0, INT64_MAX, false);
    change_map_add(map, 5 * unit + 1, 1, true);
    changes = finish(map);
    assert_int_equal(changes_next(changes, 0, INT64_MAX, &change, &error), 0);
    assert_false(change.changed);
    assert_int_equal(change.length, 5 * unit);
    assert_int_equal(
        changes_next(changes, 5 * unit, INT64_MAX - 5 * unit, &change, &error),
        0);
    assert_true(change.changed);
    assert_int_equal(change.length, unit);
    assert_int_equal(
        changes_next(changes, 6 * unit, INT64_MAX - 6 * unit, &change, &error),
        0);
    assert_false(change.changed);
    assert_int_equal(change.length, INT64_MAX - 6 * unit);
    changes_free(changes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_not_changed),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_largest),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
