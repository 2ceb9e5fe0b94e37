/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests that fail. tests/e2e/test_harness.py looks at what they print.
 *
 *     failing abort    ends by an assertion of the code that is tested
 *     failing memory   touches memory that is not there
 */
#include "test.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *how;

static void test_before(void **state)
{
    (void)state;
    test_case("before");
}

static void test_sizes(void **state)
{
    (void)state;
    for (size_t size = 512; size <= 4096; size *= 2) {
        volatile char *p = malloc(size);

        assert_non_null(p);
        test_case("size %zu, kernel %s", size, "none");
        if (how && size == 2048 && strcmp(how, "memory") == 0)
            p[size] = 1;
        free((char *)p);
        if (how && size == 2048)
            assert(strcmp(how, "abort") != 0);
        assert_true(size != 2048);
    }
}

static void test_without_cases(void **state)
{
    (void)state;
    assert_true(how != NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_without_cases),
    };

    how = argc > 1 ? argv[1] : NULL;
    return RUN_TESTS(tests, NULL, NULL);
}
