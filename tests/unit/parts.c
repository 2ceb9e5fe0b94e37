/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "list/parts.h"

#define MAX_COUNT 5000

/* The parts of a disk, some of which are there. */
struct cut {
    uint64_t blocks;
    unsigned count;
    bool has[MAX_COUNT];
};

static size_t make_lists(const struct cut *cut, struct parts_list *lists)
{
    size_t n = 0;

    for (unsigned i = 0; i < cut->count; i++) {
        uint64_t first = parts_first_block(cut->blocks, i, cut->count);
        uint64_t end = parts_first_block(cut->blocks, i + 1, cut->count);

        if (cut->has[i])
            lists[n++] = (struct parts_list){ first, end - first, true };
    }
    return n;
}

static void has_all(struct cut *cut, bool has)
{
    for (unsigned i = 0; i < cut->count; i++)
        cut->has[i] = has;
}

/* What is said of a cut, whose number of parts is found if `named` does not say
 * it. */
static void assert_missing(const struct cut *cut, const char *expected)
{
    static struct parts_list lists[MAX_COUNT];
    size_t n = make_lists(cut, lists);
    char *text;

    test_case("%u parts of %llu blocks, without %s", cut->count,
              (unsigned long long)cut->blocks, expected ? expected : "any");
    assert_int_equal(parts_find_count(lists, n, cut->blocks, n), cut->count);
    text = parts_missing(lists, n, cut->blocks, cut->count);
    if (expected)
        assert_string_equal(text, expected);
    else
        assert_null(text);
    free(text);
}

static void test_first_block(void **state)
{
    (void)state;
    for (unsigned count = 1; count < 40; count++) {
        for (uint64_t blocks = 0; blocks < 100; blocks++) {
            test_case("%u parts of %llu blocks", count,
                      (unsigned long long)blocks);
            for (unsigned i = 0; i <= count; i++)
                assert_int_equal(parts_first_block(blocks, i, count),
                                 blocks * i / count);
        }
    }
    assert_int_equal(parts_first_block(UINT64_MAX / 4, UINT32_MAX, UINT32_MAX),
                     UINT64_MAX / 4);
}

static void test_missing(void **state)
{
    struct cut cut = { .blocks = 1638400, .count = 16 };

    (void)state;
    has_all(&cut, true);
    assert_missing(&cut, NULL);
    cut.has[2] = false;
    assert_missing(&cut, "part 3/16 is missing");
    cut.has[6] = cut.has[7] = cut.has[8] = false;
    assert_missing(&cut, "parts 3,7-9/16 are missing");
    cut.has[0] = cut.has[1] = cut.has[15] = false;
    assert_missing(&cut, "parts 1-3,7-9,16/16 are missing");
    has_all(&cut, false);
    cut.has[15] = true;
    assert_missing(&cut, "parts 1-15/16 are missing");
}

/* Of a large disk, one part is enough to know the number. */
static void test_one_part(void **state)
{
    static struct cut cut = { .blocks = (1ull << 50) / 65536 - 1 };

    (void)state;
    for (cut.count = 2; cut.count < MAX_COUNT; cut.count += 97) {
        char expected[100];

        has_all(&cut, false);
        cut.has[cut.count - 1] = true;
        snprintf(expected, sizeof(expected),
                 cut.count == 2 ? "part 1/2 is missing"
                                : "parts 1-%u/%u are missing",
                 cut.count - 1, cut.count);
        assert_missing(&cut, expected);
    }
}

/* A line that a person can read, and a scheduler. */
static void test_many_ranges(void **state)
{
    static struct cut cut = { .blocks = 1 << 30, .count = 4096 };
    char expected[1000] = "parts 1";

    (void)state;
    for (unsigned i = 0; i < cut.count; i++)
        cut.has[i] = i % 2;
    for (unsigned i = 3; i < 128; i += 2)
        sprintf(expected + strlen(expected), ",%u", i);
    strcat(expected, "/4096 and 1984 more are missing");
    assert_missing(&cut, expected);
    for (unsigned i = 128; i < cut.count; i++)
        cut.has[i] = true;
    strcpy(strchr(expected, '/'), "/4096 are missing");
    assert_missing(&cut, expected);
}

/* Parts without blocks are never missing. */
static void test_more_parts_than_blocks(void **state)
{
    const struct parts_list one = { 1, 1, true };
    char *text = parts_missing(&one, 1, 2, 4);

    (void)state;
    assert_string_equal(text, "parts 1-3/4 are missing");
    free(text);
    text = parts_missing(&one, 1, 2, 2);
    assert_string_equal(text, "part 1/2 is missing");
    free(text);
    assert_null(parts_missing(NULL, 0, 0, 5));
}

static void test_not_known(void **state)
{
    const struct {
        struct parts_list lists[2];
        uint64_t blocks;
        const char *why;
    } cases[] = {
        { { { 0, 10, true }, { 10, 11, true } }, 100, "not cut alike" },
        { { { 0, 10, true }, { 11, 10, true } }, 100, "not cut by parts" },
        { { { 0, 1, true }, { 1, 1, true } }, 100, "50 to 100 parts fit" },
        { { { 4, 2, true }, { 6, 2, true } }, 8, "4 and 5 parts fit" },
        { { { 0, 1, true }, { 1, 1, true } }, 1 << 30, "too many fit" },
        { { { 0, 0, false }, { 50, 0, false } }, 1000, "nothing was read" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_case("%s", cases[i].why);
        assert_int_equal(
            parts_find_count(cases[i].lists, 2, cases[i].blocks, 2), 0);
    }
}

/* The number of lists that the user named is the number of parts, if it fits:
 * some of them could not be opened or read. */
static void test_named(void **state)
{
    const struct parts_list lists[] = { { 0, 1, true }, { 96, 0, false } };

    (void)state;
    assert_int_equal(parts_find_count(lists, 2, 100, 100), 100);
    assert_int_equal(parts_find_count(lists, 2, 100, 75), 75);
    assert_int_equal(parts_find_count(lists, 2, 100, 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_block),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_one_part),
        cmocka_unit_test(test_many_ranges),
        cmocka_unit_test(test_more_parts_than_blocks),
        cmocka_unit_test(test_not_known),
        cmocka_unit_test(test_named),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
