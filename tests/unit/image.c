/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "common/array.h"
#include "common/bytes.h"
#include "common/units.h"
#include "image/image.h"
#include "scripted_layer.h"

/* Compare the whole image with letters, in extents of at most step bytes (0: no
 * limit), and check the contract of each extent. */
static void check(struct scripted *top, uint64_t step, const char *expected)
{
    struct image image = { .top = &top->link,
                           .size = top->link.layer.size,
                           .end = top->link.layer.size };
    struct error error = ERROR_INIT;
    char seen[UNITS + 1] = "";

    test_case("'%s' in steps of %llu", top->units, (unsigned long long)step);
    for (uint64_t offset = 0, got; offset < image.size; offset += got) {
        uint64_t length = image.size - offset;
        struct extent e;

        if (step && length > step)
            length = step;
        assert_int_equal(image_map(&image, offset, length, &e, &error), 0);
        assert_int_equal(e.offset, offset);
        assert_in_range(e.length, 1, length);
        got = e.length;
        for (uint64_t i = 0; i < got; i++) {
            char *unit = &seen[(offset + i) / UNIT];
            char what = e.kind == EXTENT_ZERO   ? 'z'
                        : e.kind == EXTENT_DATA ? 'd'
                                                : 'c';

            assert_int_not_equal(e.kind, EXTENT_UNALLOCATED);
            if (e.kind == EXTENT_DATA)
                assert_int_equal(e.host_offset + i, offset + i);
            if (e.kind == EXTENT_COMPRESSED)
                assert_int_equal(e.host_offset + e.skip + i, offset + i);
            if (*unit)
                assert_int_equal(*unit, what);
            *unit = what;
        }
    }
    assert_string_equal(seen, expected);
}

static void test_layers(void **state)
{
    struct scripted base, middle, top;

    (void)state;
    for (uint64_t step = 0; step < 4 * UNIT; step += 7) {
        script(&base, "dddddddddddddddd", NULL);
        check(&base, step, "dddddddddddddddd");

        /* The middle layer is short: zeros follow, whatever is below. */
        script(&middle, "zz--cc--", &base);
        script(&top, "-d-d-d-d-z--cc--", &middle);
        check(&top, step, "zdddcdddzzzzcczz");
    }
}

/* A layer is asked once, into however many pieces the others cut its answer. */
static void test_asked_once(void **state)
{
    struct scripted base, top;

    (void)state;
    script(&base, "dddddddddddddddd", NULL);
    script(&top, "d-d-d-d-d-d-d-d-", &base);
    check(&top, 3, "dddddddddddddddd");
    assert_int_equal(top.calls, 16);
    assert_int_equal(base.calls, 1);
}

/* Data in a hole of its file, or beyond the end, is zeros. */
static void test_host_holes_and_end(void **state)
{
    static const bool holes[UNITS] = { [3] = true, [4] = true, [7] = true };
    struct scripted top;

    (void)state;
    script(&top, "dddddddddddddddd", NULL);
    top.m.unit = UNIT;
    top.m.holes = holes;
    top.m.reader.size = 12 * UNIT;
    check(&top, 0, "dddzzddzddddzzzz");
    check(&top, 7, "dddzzddzddddzzzz");
}

/* A part may begin and end at any byte. Behind it there are zeros, whatever the
 * disk has there. */
static void check_part(struct scripted *top, uint64_t start, uint64_t end)
{
    struct image image = { .top = &top->link, .start = start, .end = end };
    struct error error = ERROR_INIT;

    image.size = round_up(end - start, SECTOR_SIZE);
    test_case("%llu to %llu", (unsigned long long)start,
              (unsigned long long)end);
    for (uint64_t offset = 0, got; offset < image.size; offset += got) {
        struct extent e;

        assert_int_equal(
            image_map(&image, offset, image.size - offset, &e, &error), 0);
        assert_int_equal(e.offset, offset);
        got = e.length;
        if (start + offset >= end) {
            assert_int_equal(e.kind, EXTENT_ZERO);
            continue;
        }
        assert_true(start + offset + got <= end);
        if (e.kind != EXTENT_ZERO)
            assert_int_equal(e.host_offset + e.skip, start + offset);
        for (uint64_t at = start + offset; at < start + offset + got; at++) {
            char unit = top->units[at / UNIT];
            bool is_zero =
                unit == 'z' || (unit == 'd' && at >= top->m.reader.size);

            assert_int_equal(e.kind == EXTENT_ZERO, is_zero);
        }
    }
}

static void test_parts(void **state)
{
    const uint64_t places[] = {
        0,        1,        511,           UNIT - 1,       UNIT,
        UNIT + 1, 2 * UNIT, 3 * UNIT + 99, 3 * UNIT + 101, 4 * UNIT,
        5 * UNIT
    };
    struct scripted top;

    (void)state;
    script(&top, "dzcdz", NULL);
    top.m.reader.size = 3 * UNIT + 100; /* the file ends within a sector */
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        for (size_t j = i; j < ARRAY_SIZE(places); j++)
            check_part(&top, places[i], places[j]);
    }
}

/* An error is reported where the guest sees it, not where a layer hides it. */
static void test_errors(void **state)
{
    struct scripted base, top;
    struct image image = {
        .top = &top.link, .name = "top", .size = 4 * UNIT, .end = 4 * UNIT
    };
    struct error error = ERROR_INIT;
    struct extent e;

    (void)state;
    script(&base, "d!d!", NULL);
    script(&top, "-z--", &base);
    assert_int_equal(image_map(&image, 0, 4 * UNIT, &e, &error), 0);
    assert_int_equal(image_map(&image, UNIT, 3 * UNIT, &e, &error), 0);
    assert_int_equal(image_map(&image, 2 * UNIT, 2 * UNIT, &e, &error), 0);
    assert_int_equal(image_map(&image, 3 * UNIT, UNIT, &e, &error), EIO);
    assert_string_equal(error_message(&error), "top: broken");
    error_clear(&error);
    /* The same question has the same answer. */
    assert_int_equal(image_map(&image, 3 * UNIT, UNIT, &e, &error), EIO);
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_asked_once),
        cmocka_unit_test(test_host_holes_and_end),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_errors),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
