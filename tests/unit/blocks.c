/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/blocks.h"

#include <errno.h>
#include <string.h>

#include "memory_reader.h"
#include "test.h"

#define BLOCK UINT64_C(1000)
#define COUNT (TABLE_SLICE + 100)

/* A table with an entry of two bytes for each block: a letter for its kind, and
 * the number of the block in the file. */
static unsigned char entries[2 * COUNT];
static struct memory_reader memory;
static struct table table;

static struct block look_up(const void *format, const unsigned char *entry)
{
    assert_string_equal(format, "format");
    switch (entry[0]) {
    case 'd':
        return (struct block){ .kind = EXTENT_DATA,
                               .host_offset = 5 + entry[1] * BLOCK };
    case 'c':
        return (struct block){ .kind = EXTENT_COMPRESSED };
    case 'u':
        return (struct block){ .kind = EXTENT_UNALLOCATED };
    case 'f':
        return (struct block){ .fault = "a fault" };
    default:
        return (struct block){ .kind = EXTENT_ZERO };
    }
}

static const struct blocks blocks = {
    .table = &table,
    .entry_size = 2,
    .size = BLOCK,
    .look_up = look_up,
    .format = "format",
};

static int setup(void **state)
{
    (void)state;
    memset(entries, 0, sizeof(entries));
    memory_reader_init(&memory, entries, sizeof(entries));
    table = (struct table){ 0 };
    table_set(&table, &memory.reader, 0, sizeof(entries));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    table_free(&table);
    return 0;
}

/* Set entries from block n on: "d0d1z " has two data blocks and one of zeros.
 */
static void set(size_t n, const char *text)
{
    memcpy(entries + 2 * n, text, strlen(text));
    for (size_t i = 1; i < strlen(text); i += 2)
        entries[2 * n + i] -= '0';
}

static struct extent map(uint64_t offset, uint64_t length)
{
    struct extent extent = { .offset = offset, .length = length };
    struct error error = ERROR_INIT;

    test_case("offset %llu", (unsigned long long)offset);
    assert_int_equal(
        blocks_map(&blocks, offset / BLOCK, offset % BLOCK, &extent, &error),
        0);
    return extent;
}

static void check(uint64_t offset, uint64_t length, enum extent_kind kind,
                  uint64_t expected_length, uint64_t host_offset)
{
    struct extent extent = map(offset, length);

    assert_int_equal(extent.offset, offset);
    assert_int_equal(extent.kind, kind);
    assert_int_equal(extent.length, expected_length);
    if (kind == EXTENT_DATA)
        assert_int_equal(extent.host_offset, host_offset);
}

static void test_data(void **state)
{
    (void)state;
    set(0, "d0d1d2d2d0d1");
    /* A run of what follows each other in the file, too. */
    check(0, 6000, EXTENT_DATA, 3000, 5);
    check(1, 6000 - 1, EXTENT_DATA, 2999, 6);
    check(2999, 3001, EXTENT_DATA, 1, 3004);
    check(3000, 3000, EXTENT_DATA, 1000, 2005);
    check(4500, 1500, EXTENT_DATA, 1500, 505);
    /* No more than was asked for. */
    check(0, 1, EXTENT_DATA, 1, 5);
    check(500, 1000, EXTENT_DATA, 1000, 505);
    check(500, 500, EXTENT_DATA, 500, 505);
}

static void test_kinds(void **state)
{
    (void)state;
    set(0, "z0z7u0u1d3z0c0c0");
    check(10, 7000, EXTENT_ZERO, 1990, 0);
    check(2000, 7000, EXTENT_UNALLOCATED, 2000, 0);
    check(4000, 4000, EXTENT_DATA, 1000, 3005);
    check(5001, 2000, EXTENT_ZERO, 999, 0);
    /* Each compressed block is one of its own. */
    check(6000, 2000, EXTENT_COMPRESSED, 1000, 0);
}

static void test_fault(void **state)
{
    struct extent extent = { .offset = 2500, .length = 100 };
    struct error error = ERROR_INIT;

    (void)state;
    set(0, "z0z0f0z0");
    /* A run ends before it. */
    check(0, 4000, EXTENT_ZERO, 2000, 0);
    assert_int_equal(blocks_map(&blocks, 2, 500, &extent, &error), EIO);
    assert_string_equal(error_message(&error),
                        "memory: a fault: at guest offset 2500");
    error_clear(&error);
    check(3000, 1000, EXTENT_ZERO, 1000, 0);
}

/* Equal entries are compared by chunks: a run of any length ends where it
 * should. */
static void test_equal_entries(void **state)
{
    static const char kinds[] = { 'z', 'u' };

    (void)state;
    for (size_t n = 1; n <= 200; n++) {
        for (size_t first = 0; first < 40; first += 13) {
            char kind = kinds[n % 2];

            memset(entries, 'd', sizeof(entries));
            for (size_t i = first; i < first + n; i++)
                entries[2 * i] = kind;
            check(first * BLOCK + 1, 300 * BLOCK,
                  kind == 'z' ? EXTENT_ZERO : EXTENT_UNALLOCATED, n * BLOCK - 1,
                  0);
            check(first * BLOCK, BLOCK,
                  kind == 'z' ? EXTENT_ZERO : EXTENT_UNALLOCATED, BLOCK, 0);
            table.slice_length = 0;
        }
    }
}

/* A run ends with its slice of the table, and with the table. */
static void test_slices(void **state)
{
    const uint64_t slice = TABLE_SLICE / 2 * BLOCK;

    (void)state;
    check(0, COUNT * BLOCK, EXTENT_ZERO, slice, 0);
    check(slice - 1, COUNT * BLOCK, EXTENT_ZERO, 1, 0);
    check(slice, COUNT * BLOCK, EXTENT_ZERO, slice, 0);
    check(2 * slice, 100 * BLOCK, EXTENT_ZERO, 100 * BLOCK, 0);
    assert_int_equal(memory.rest_calls, 3);
}

static void test_read_error(void **state)
{
    struct extent extent = { .offset = 0, .length = 100 };
    struct error error = ERROR_INIT;

    (void)state;
    memory.fail_read = 10;
    assert_int_equal(blocks_map(&blocks, 0, 0, &extent, &error), EIO);
    assert_non_null(strstr(error_message(&error), "read error at offset 10"));
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_data, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fault, setup, teardown),
        cmocka_unit_test_setup_teardown(test_equal_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slices, setup, teardown),
        cmocka_unit_test_setup_teardown(test_read_error, setup, teardown),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
