/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How often a bitmap of a qcow2 image is read, and what happens where it cannot
 * be read. The end-to-end tests check that it is right.
 */
#include "memory_reader.h"
#include "test.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "common/array.h"
#include "common/units.h"
#include "format/table.h"
#include "image/image.h"

#define CLUSTER_BITS 17
#define CLUSTER (UINT64_C(1) << CLUSTER_BITS) /* of two slices */
#define DATA_CLUSTERS 3
#define SIZE (DATA_CLUSTERS * CLUSTER * 8 * 512) /* a bit for each sector */

/* Places in the file, in clusters. */
enum { L1 = 1, REFCOUNTS, DIRECTORY, TABLE, DATA, END = DATA + DATA_CLUSTERS };

static unsigned char file[END * CLUSTER];
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

static void put_header(void)
{
    memcpy(file, "QFI\xfb", 4);
    put32(4, 3);
    put32(20, CLUSTER_BITS);
    put64(24, SIZE);
    put32(36, 16); /* L1 entries, more than enough */
    put64(40, L1 * CLUSTER);
    put64(48, REFCOUNTS * CLUSTER);
    put32(56, 1);
    put64(88, 1); /* autoclear: bitmaps */
    put32(96, 4);
    put32(100, 104);

    put32(104, 0x23852875); /* the bitmaps extension */
    put32(108, 24);
    put32(112, 1);
    put64(120, 32); /* the directory */
    put64(128, DIRECTORY * CLUSTER);
}

/* An image whose bitmap has every other bit set. */
static void make(void)
{
    size_t at = DIRECTORY * CLUSTER;

    memset(file, 0, sizeof(file));
    put_header();
    put64(at, TABLE * CLUSTER);
    put32(at + 8, DATA_CLUSTERS);
    put32(at + 12, 2); /* auto */
    file[at + 16] = 1; /* type */
    file[at + 17] = 9; /* granularity_bits */
    file[at + 19] = 2; /* bytes of the name */
    memcpy(file + at + 24, "b0", 2);
    for (size_t i = 0; i < DATA_CLUSTERS; i++)
        put64(TABLE * CLUSTER + 8 * i, (DATA + i) * CLUSTER);
    memset(file + DATA * CLUSTER, 0x55, DATA_CLUSTERS * CLUSTER);
}

static void open_it(void)
{
    struct error error = ERROR_INIT;

    make();
    memory_reader_init(&memory, file, sizeof(file));
    assert_int_equal(image_open_reader(&memory.reader,
                                       &(struct image_options){
                                           .format = "qcow2",
                                           .bitmap = "b0",
                                       },
                                       &image, &error),
                     0);
    memory.rest_calls = 0;
}

/* Read the changes from `offset` up to `end`, in pieces of at most `step`.
 * Returns how many sectors have changed. */
static uint64_t count_changed(struct changes *changes, uint64_t offset,
                              uint64_t end, uint64_t step)
{
    struct error error = ERROR_INIT;
    uint64_t changed = 0;

    while (offset < end) {
        uint64_t length = end - offset < step ? end - offset : step;
        struct change change;

        assert_int_equal(changes_next(changes, offset, length, &change, &error),
                         0);
        if (change.changed)
            changed += change.length;
        offset += change.length;
    }
    assert_int_equal(changed % 512, 0);
    return changed / 512;
}

/* The directory, the table and each slice of the data are read once, however
 * short the pieces are that are asked for. */
static void test_read_once(void **state)
{
    static const uint64_t steps[] = { 500, 512, 5000, SIZE };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        struct error error = ERROR_INIT;
        struct changes *changes;

        test_case("step %llu", (unsigned long long)steps[i]);
        open_it();
        assert_int_equal(image_bitmap(image, &changes, &error), 0);
        assert_int_equal(memory.rest_calls, 2);
        assert_int_equal(count_changed(changes, 0, SIZE, steps[i]),
                         SIZE / 512 / 2);
        assert_int_equal(memory.rest_calls,
                         2 + DATA_CLUSTERS * CLUSTER / TABLE_SLICE);
        changes_free(changes);
        image_close(image);
    }
}

/* Of what nobody asks for, nothing is read. */
static void test_skipped(void **state)
{
    struct error error = ERROR_INIT;
    struct changes *changes;

    (void)state;
    open_it();
    assert_int_equal(image_bitmap(image, &changes, &error), 0);
    memory.rest_calls = 0;
    for (uint64_t slice = 0; slice < 6; slice += 2)
        assert_int_equal(count_changed(changes, slice * SIZE / 6,
                                       slice * SIZE / 6 + 1024, 1024),
                         1);
    assert_int_equal(memory.rest_calls, 3);
    changes_free(changes);
    image_close(image);
}

static void assert_fails(uint64_t place, bool at_once)
{
    struct error error = ERROR_INIT;
    struct changes *changes;
    struct change change;
    int err;

    test_case("read error at %llu", (unsigned long long)place);
    open_it();
    memory.fail_read = place;
    err = image_bitmap(image, &changes, &error);
    assert_true((err != 0) == at_once);
    if (!err) {
        err = changes_next(changes, SIZE - 512, 512, &change, &error);
        changes_free(changes);
    }
    assert_int_equal(err, EIO);
    assert_non_null(strstr(error_message(&error), "read error at offset"));
    error_clear(&error);
    image_close(image);
}

static void test_read_errors(void **state)
{
    (void)state;
    assert_fails(DIRECTORY * CLUSTER, true);
    assert_fails(TABLE * CLUSTER + 8, true);
    assert_fails(END * CLUSTER - 1, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_once),
        cmocka_unit_test(test_skipped),
        cmocka_unit_test(test_read_errors),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
