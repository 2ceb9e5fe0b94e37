/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include "lib/name-list.h"

static void test_names_are_sorted(void **state)
{
    struct name_list list = { .count = 0 };

    (void)state;
    assert_int_equal(name_list_add(&list, "SHA256"), 0);
    assert_int_equal(name_list_add(&list, "blake3"), 0);
    assert_int_equal(name_list_add(&list, "sha256"), 0);
    assert_int_equal(name_list_add(&list, "md5"), 0);
    assert_int_equal(name_list_add(&list, "Sha256"), 0);
    name_list_sort(&list);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.names[0], "blake3");
    assert_string_equal(list.names[1], "md5");
    assert_string_equal(list.names[2], "sha256");
    assert_null(list.names[3]);
    name_list_clear(&list);
}

static void test_empty_list(void **state)
{
    struct name_list list = { .count = 0 };

    (void)state;
    name_list_sort(&list);
    assert_int_equal(list.count, 0);
    name_list_clear(&list);

    assert_int_equal(name_list_add(&list, "sha256"), 0);
    name_list_clear(&list);
    assert_int_equal(list.count, 0);
    assert_null(list.names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_sorted),
        cmocka_unit_test(test_empty_list),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
