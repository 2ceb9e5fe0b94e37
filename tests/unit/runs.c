/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file of pages whose lseek() walks over them one by one, as that of tmpfs
 * does, and counts them.
 */
#include "test.h"

#include <errno.h>
#include <sys/types.h>
#include <unistd.h>

#include "common/units.h"
#include "reader/runs.h"

#define PAGE 4096
#define MAX_PAGES (1 << 16)

static bool is_data[MAX_PAGES];
static uint64_t run_end[MAX_PAGES]; /* of the run that a page is in */
static uint64_t pages, walked;
static bool reports_holes;

off_t lseek(int fd, off_t offset, int whence)
{
    const uint64_t start = offset / PAGE;
    uint64_t page = start;

    assert_int_equal(fd, 42);
    assert_true(whence == SEEK_DATA || whence == SEEK_HOLE);
    if (!reports_holes) {
        errno = EINVAL;
        return -1;
    }
    if (page >= pages) {
        errno = ENXIO;
        return -1;
    }
    if (is_data[page] != (whence == SEEK_DATA))
        page = run_end[page];
    if (whence == SEEK_HOLE)
        walked += page - start;
    if (page == pages && whence == SEEK_DATA) {
        errno = ENXIO;
        return -1;
    }
    return page == start ? offset : (off_t)page * PAGE;
}

static void check(struct runs *r, uint64_t offset, uint64_t length)
{
    struct reader_extent extent;
    uint64_t page = offset / PAGE, end = run_end[page];
    bool ends;

    runs_get(r, 42, pages * PAGE, offset, length, &extent, &ends);
    assert_int_equal(extent.hole, !is_data[page]);
    assert_int_equal(extent.length, end * PAGE - offset < length
                                        ? end * PAGE - offset
                                        : length);
    if (ends)
        assert_true(end == pages && !is_data[page]);
}

static void find_run_ends(void)
{
    for (uint64_t i = pages; i-- > 0;)
        run_end[i] = i + 1 < pages && is_data[i] == is_data[i + 1]
                         ? run_end[i + 1]
                         : i + 1;
}

/* Fill the file with runs of data and holes, each of 1 to longest pages. */
static void make_file(uint64_t size, uint32_t longest_data,
                      uint32_t longest_hole)
{
    reports_holes = true;
    walked = 0;
    pages = size;
    for (uint64_t i = 0, left = 0; i < pages; i++, left--) {
        if (left == 0 || i == 0) {
            is_data[i] = i ? !is_data[i - 1] : random_number() % 2;
            left = 1 +
                   random_number() % (is_data[i] ? longest_data : longest_hole);
        } else {
            is_data[i] = is_data[i - 1];
        }
    }
    find_run_ends();
}

static uint64_t random_offset(void)
{
    return (uint64_t)random_number() * random_number() % (pages * PAGE);
}

static void test_any_order(void **state)
{
    static const uint32_t longest[] = { 1, 3, 100, 1000, 20000 };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(longest); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(longest); j++) {
            struct runs r = { 0 };

            test_case("data of %u pages, holes of %u", longest[i], longest[j]);
            make_file(MAX_PAGES, longest[i], longest[j]);
            for (int n = 0; n < 500; n++) {
                uint64_t offset = random_offset();

                check(&r, offset,
                      1 + random_offset() % (pages * PAGE - offset));
            }
            runs_free(&r);
        }
    }
}

static void test_forward(void **state)
{
    struct runs r = { 0 };
    uint64_t page = 0;

    (void)state;
    make_file(MAX_PAGES, 50, 50);
    while (page < pages) {
        check(&r, page * PAGE, (pages - page) * PAGE);
        page = run_end[page];
    }
    assert_in_range(walked, 1, pages);
    runs_free(&r);
}

/* Who reads a part does not wait for a walk over what is before it. */
static void test_begin(void **state)
{
    struct runs r = { 0 };
    const uint64_t begin = MAX_PAGES - 100;

    (void)state;
    make_file(MAX_PAGES, 50, 50);
    for (uint64_t page = begin; page < pages; page++) {
        runs_begin_at(&r, begin * PAGE);
        check(&r, page * PAGE, (pages - page) * PAGE);
    }
    assert_in_range(walked, 1, 100);
    runs_free(&r);
}

/* Each cluster is looked up, from the last to the first. */
static void check_backward(void)
{
    const uint64_t before = walked;
    struct runs r = { 0 };

    find_run_ends();
    for (uint64_t page = pages; page-- > 0;)
        check(&r, page * PAGE, PAGE);
    /* Runs of up to 256 pages may be walked over for each of their pages. */
    assert_in_range(walked - before, 1, pages + pages * MiB / PAGE);
    runs_free(&r);
}

static void test_backward(void **state)
{
    (void)state;
    test_case("one run");
    make_file(MAX_PAGES, 1, 1);
    for (uint64_t i = 0; i < pages; i++)
        is_data[i] = true;
    check_backward();
    test_case("two runs, and a page between them");
    is_data[pages / 2] = false;
    check_backward();
    test_case("one run behind many");
    for (uint64_t i = 0; i < pages / 2; i++)
        is_data[i] = i % 2;
    check_backward();
    test_case("long runs");
    make_file(MAX_PAGES, 20000, 10);
    check_backward();
}

static void test_holes_are_not_reported(void **state)
{
    struct runs r = { 0 };

    (void)state;
    make_file(100, 1, 1);
    for (uint64_t i = 0; i < pages; i++)
        is_data[i] = true;
    find_run_ends();
    reports_holes = false;
    for (int i = 0; i < 100; i++)
        check(&r, random_offset(), 5 * PAGE);
    runs_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_begin),
        cmocka_unit_test(test_backward),
        cmocka_unit_test(test_holes_are_not_reported),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
