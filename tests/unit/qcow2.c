/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How often the map of a qcow2 image reads its tables, and how long its extents
 * are. The end-to-end tests check that they are right.
 */
#include "memory_reader.h"
#include "test.h"

#include <endian.h>
#include <string.h>

#include "common/units.h"
#include "image/image.h"
#include "format/table.h"

#define CLUSTER (64 * KiB)
#define PER_TABLE (CLUSTER / sizeof(uint64_t)) /* clusters of an L2 table */
#define PER_SLICE (TABLE_SLICE / sizeof(uint64_t))
#define COPIED (UINT64_C(1) << 63)

/* Places in the file, in clusters. Data is far beyond the end of the file. */
enum { L1 = 1, REFCOUNTS = 2, L2 = 3, TABLES = 4, DATA = 1000 };

static unsigned char file[(L2 + TABLES) * CLUSTER];
static struct memory_reader memory;
static struct image *image;

static void put32(size_t at, uint32_t value)
{
    value = htobe32(value);
    memcpy(file + at, &value, sizeof(value));
}

static void put64(size_t at, uint64_t value)
{
    value = htobe64(value);
    memcpy(file + at, &value, sizeof(value));
}

/* Make an image of so many clusters, with an empty L1 table. */
static void begin(uint64_t clusters)
{
    memset(file, 0, sizeof(file));
    memcpy(file, "QFI\xfb", 4);
    put32(4, 3);
    put32(20, 16); /* cluster_bits */
    put64(24, clusters * CLUSTER);
    put32(36, (clusters + PER_TABLE - 1) / PER_TABLE);
    put64(40, L1 * CLUSTER);
    put64(48, REFCOUNTS * CLUSTER);
    put32(56, 1);
    put32(96, 4);
    put32(100, 104);
}

static void set_l1(size_t n, unsigned table)
{
    put64(L1 * CLUSTER + 8 * n, COPIED | (L2 + table) * CLUSTER);
}

static void set_l2(unsigned table, size_t n, uint64_t cluster)
{
    put64((L2 + table) * CLUSTER + 8 * n, COPIED | cluster * CLUSTER);
}

static void open_it(void)
{
    struct error error = ERROR_INIT;

    memory_reader_init(&memory, file, 1024 * GiB);
    assert_int_equal(image_open_reader(&memory.reader,
                                       &(struct image_options){
                                           .format = "qcow2",
                                       },
                                       &image, &error),
                     0);
    memory.rest_calls = 0;
    memory.will_need_calls = 0;
}

static struct extent map(uint64_t offset)
{
    struct error error = ERROR_INIT;
    struct extent extent;

    assert_int_equal(
        image_map(image, offset, image->size - offset, &extent, &error), 0);
    return extent;
}

/* All is in one slice of the L1 table. */
static void test_hole(void **state)
{
    struct extent extent;

    (void)state;
    begin(PER_SLICE * PER_TABLE);
    open_it();
    extent = map(0);
    assert_int_equal(extent.kind, EXTENT_ZERO);
    assert_true(extent.length == image->size);
    assert_int_equal(memory.rest_calls, 1);
    image_close(image);
}

static void test_run_is_one_extent(void **state)
{
    struct extent extent;

    (void)state;
    begin(PER_TABLE);
    set_l1(0, 0);
    for (size_t i = 0; i < PER_TABLE; i++)
        set_l2(0, i, DATA + i);
    open_it();
    extent = map(5000);
    assert_int_equal(extent.kind, EXTENT_DATA);
    assert_true(extent.host_offset == DATA * CLUSTER + 5000);
    assert_true(extent.length == PER_SLICE * CLUSTER - 5000);
    image_close(image);
}

/* From front to back, each slice is read once, and the next table is read ahead
 * before the end of this one. */
static void test_tables_are_read_once(void **state)
{
    uint64_t extents = 0;

    (void)state;
    begin(TABLES * PER_TABLE);
    for (unsigned t = 0; t < TABLES; t++) {
        set_l1(t, t);
        for (size_t i = 0; i < PER_TABLE; i += 2)
            set_l2(t, i, DATA + 2 * (t * PER_TABLE + i));
    }
    open_it();
    for (uint64_t offset = 0; offset < image->size; extents++) {
        struct extent extent = map(offset);

        assert_true(extent.length == CLUSTER);
        offset += extent.length;
        if (offset == CLUSTER)
            assert_true(memory.needed == (L2 + 1) * CLUSTER);
    }
    assert_true(extents == TABLES * PER_TABLE);
    assert_int_equal(memory.rest_calls, 1 + TABLES * (CLUSTER / TABLE_SLICE));
    assert_int_equal(memory.will_need_calls, TABLES - 1);
    image_close(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hole),
        cmocka_unit_test(test_run_is_one_extent),
        cmocka_unit_test(test_tables_are_read_once),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
