/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <string.h>

#include "format/table.h"
#include "memory_reader.h"

enum { SIZE = 5 * TABLE_SLICE / 2 };

static unsigned char bytes[SIZE];

static void check(struct table *t, uint64_t at, size_t expected_count)
{
    struct error error = ERROR_INIT;
    const unsigned char *p;
    size_t count;

    test_case("at %llu", (unsigned long long)at);
    assert_int_equal(table_get(t, at, &p, &count, &error), 0);
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++) {
        uint64_t offset = t->offset + at + i;

        assert_int_equal(p[i], offset < SIZE ? bytes[offset] : 0);
    }
}

static void test_slices(void **state)
{
    struct memory_reader m;
    struct table t = { 0 };

    (void)state;
    random_fill(bytes, SIZE);
    memory_reader_init(&m, bytes, SIZE);
    table_set(&t, &m.reader, 512, 2 * TABLE_SLICE + 100);
    check(&t, 0, TABLE_SLICE);
    check(&t, 8, TABLE_SLICE - 8);
    check(&t, TABLE_SLICE - 8, 8);
    check(&t, TABLE_SLICE, TABLE_SLICE);
    check(&t, 2 * TABLE_SLICE, 100);
    check(&t, 2 * TABLE_SLICE + 96, 4);
    check(&t, 16, TABLE_SLICE - 16);

    /* A table that ends beyond the object, and one that begins there. */
    table_set(&t, &m.reader, SIZE - 10, 64);
    check(&t, 0, 64);
    table_set(&t, &m.reader, UINT64_C(1) << 60, 4096);
    check(&t, 8, 4088);
    table_free(&t);
}

static void test_same_table_is_read_once(void **state)
{
    struct memory_reader m;
    struct table t = { 0 };
    struct error error = ERROR_INIT;
    const unsigned char *p;
    size_t count;

    (void)state;
    memory_reader_init(&m, bytes, SIZE);
    table_set(&t, &m.reader, 0, 4096);
    check(&t, 0, 4096);
    m.fail_read = 0;
    table_set(&t, &m.reader, 0, 4096);
    check(&t, 100, 3996);
    /* Another table is read, and its error is reported. */
    m.fail_read = 5000;
    table_set(&t, &m.reader, 4096, 4096);
    assert_true(table_get(&t, 0, &p, &count, &error) != 0);
    assert_string_equal(error_message(&error),
                        "memory: read error at offset 5000: Input/output "
                        "error");
    error_clear(&error);
    /* A slice whose read failed is read again. */
    m.fail_read = NEVER;
    check(&t, 0, 4096);
    table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_same_table_is_read_once),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
