/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/cut.h"

#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/units.h"
#include "memory_reader.h"

#define UNITS 2000
#define LARGE_HOLE (64 * MiB)

/* A raw disk of units, some of which are holes. */
struct disk {
    struct memory_reader m;
    bool holes[UNITS];
    struct image *image;
};

static void disk_open(struct disk *d, uint64_t unit, uint64_t size)
{
    struct error error = ERROR_INIT;

    memory_reader_init(&d->m, NULL, size);
    d->m.unit = unit;
    d->m.holes = d->holes;
    assert_int_equal(
        image_open_reader(&d->m.reader,
                          &(struct image_options){ .format = "raw" }, &d->image,
                          &error),
        0);
}

static struct piece next(struct cut *c, uint64_t data)
{
    struct error error = ERROR_INIT;
    struct piece piece;

    assert_false(cut_is_at_end(c));
    assert_int_equal(cut_next(c, data, &piece, &error), 0);
    assert_true(piece.blocks > 0);
    return piece;
}

/* Bytes of a range of the disk that are not in a hole. The range may end beyond
 * the disk. */
static uint64_t data_in(const struct disk *d, uint64_t start, uint64_t end)
{
    uint64_t data = 0;

    if (end > d->image->size)
        end = d->image->size;
    for (uint64_t at = start; at < end;) {
        uint64_t unit_end = (at / d->m.unit + 1) * d->m.unit;
        uint64_t to = unit_end < end ? unit_end : end;

        if (!d->holes[at / d->m.unit])
            data += to - at;
        at = to;
    }
    return data;
}

static void check_slice(const struct disk *d, const struct piece *p,
                        uint64_t block_size, uint64_t max_data)
{
    uint64_t start = p->first_block * block_size;
    uint64_t digests = 0, hole = 0;

    for (uint64_t i = 0; i < p->blocks; i++) {
        uint64_t at = start + i * block_size;
        uint64_t end = at + block_size;
        bool data;

        if (end > d->image->size)
            end = d->image->size;
        data = end - at < block_size || data_in(d, at, end) > 0;
        digests += data;
        hole = data ? 0 : hole + block_size;
        assert_true(hole < LARGE_HOLE);
    }
    assert_true(digests <= p->digests);
    assert_true(data_in(d, start, start + p->blocks * block_size) <
                max_data + block_size);
}

/* Cut a disk to its end, and check each piece by itself. */
static void check_disk(const struct disk *d, uint64_t block_size,
                       uint64_t max_data)
{
    uint64_t blocks = (d->image->size + block_size - 1) / block_size;
    uint64_t done = 0;
    struct cut c;

    cut_init(&c, d->image, NULL, block_size);
    while (!cut_is_at_end(&c)) {
        struct piece p = next(&c, max_data);

        assert_int_equal(p.first_block, done);
        done += p.blocks;
        assert_true(done <= blocks);
        if (p.hole)
            assert_int_equal(
                data_in(d, p.first_block * block_size, done * block_size), 0);
        else
            check_slice(d, &p, block_size, max_data);
    }
    assert_int_equal(done, blocks);
    assert_int_equal(cut_left(&c), 0);
}

static void test_any_disk(void **state)
{
    static const uint64_t block_sizes[] = { 512, 3 * 512, 64 * KiB, 16 * MiB };
    static const uint64_t units[] = { 512, 4 * KiB, 100 * KiB, 40 * MiB };
    static const uint64_t limits[] = { 1, 64 * KiB, 8 * MiB };
    struct disk d = { .holes = { false } };

    (void)state;
    for (unsigned n = 0; n < 200; n++) {
        uint64_t block_size =
            block_sizes[random_number() % ARRAY_SIZE(block_sizes)];
        uint64_t unit = units[random_number() % ARRAY_SIZE(units)];
        uint64_t data = limits[random_number() % ARRAY_SIZE(limits)];
        unsigned count = random_number() % 100 + 1,
                 run = random_number() % 8 + 1;

        test_case("case %u: block size %ju, unit %ju, data %ju", n,
                  (uintmax_t)block_size, (uintmax_t)unit, (uintmax_t)data);
        for (unsigned i = 0; i < count; i++)
            d.holes[i] = i % run ? d.holes[i - 1] : random_number() % 2;
        disk_open(&d, unit, count * unit - random_number() % unit / 512 * 512);
        if (d.image->size / block_size < 1000000)
            check_disk(&d, block_size, data);
        image_close(d.image);
    }
}

/* It is one piece, whatever its size. */
static void test_exabytes_of_hole(void **state)
{
    struct disk d = { .holes = { true } };
    struct cut c;
    struct piece p;

    (void)state;
    disk_open(&d, UINT64_C(4) << 60, UINT64_C(4) << 60);
    cut_init(&c, d.image, NULL, 64 * KiB);
    p = next(&c, 64 * MiB);
    assert_true(p.hole);
    assert_int_equal(p.blocks, UINT64_C(4) << 44);
    assert_true(cut_is_at_end(&c));
    image_close(d.image);
}

/* A row of holes, as a table has them that an image and its backing file have
 * made. They are smaller than a block, or as large. */
static void test_many_holes(void **state)
{
    static const uint64_t block_sizes[] = { 64 * KiB, 1 * MiB };
    struct disk d = { .holes = { false } };

    (void)state;
    memset(d.holes, true, sizeof(d.holes) - 1);
    disk_open(&d, 64 * KiB, UNITS * 64 * KiB);
    d.m.one_unit = true;
    for (size_t i = 0; i < ARRAY_SIZE(block_sizes); i++) {
        uint64_t whole = (UNITS - 1) * 64 * KiB / block_sizes[i];
        struct cut c;
        struct piece p;

        cut_init(&c, d.image, NULL, block_sizes[i]);
        c.max_seconds = 1000;
        p = next(&c, 64 * MiB);
        assert_true(p.hole);
        assert_int_equal(p.blocks, whole);
        p = next(&c, 64 * MiB);
        assert_false(p.hole);
        assert_true(cut_is_at_end(&c));
    }
    image_close(d.image);
}

/* Where a server needs long for each extent, messages are served between. */
static void test_slow_map(void **state)
{
    struct disk d = { .holes = { false } };
    struct cut c;

    (void)state;
    memset(d.holes, true, sizeof(d.holes));
    disk_open(&d, 64 * KiB, UNITS * 64 * KiB);
    d.m.one_unit = true;
    cut_init(&c, d.image, NULL, 64 * KiB);
    c.max_seconds = 0;
    for (unsigned i = 0; i < UNITS; i++) {
        struct piece p = next(&c, 64 * MiB);

        assert_true(p.hole);
        assert_int_equal(p.first_block, i);
        assert_int_equal(p.blocks, 1);
        assert_int_equal(d.m.extent_calls, i + 1);
    }
    image_close(d.image);
}

/* A slice that is much longer than the range of a table ends with a table. */
static void test_tables(void **state)
{
    struct disk d = { .holes = { false } };
    struct cut c;

    (void)state;
    disk_open(&d, GiB, GiB);
    cut_init(&c, d.image, NULL, 64 * KiB);
    d.image->table_span = 32 * MiB;
    assert_int_equal(next(&c, 100 * MiB).blocks, 96 * 16);
    assert_int_equal(next(&c, 63 * MiB).blocks, 63 * 16);
    assert_int_equal(next(&c, 70 * MiB).blocks, 65 * 16);
    image_close(d.image);
}

/* The map of a part is not looked at for long. */
static void test_many_extents(void **state)
{
    struct disk d = { .holes = { false } };
    struct cut c;

    (void)state;
    for (unsigned i = 0; i < UNITS; i++)
        d.holes[i] = i % 2;
    disk_open(&d, 512, UNITS * 512);
    d.m.one_unit = true;
    cut_init(&c, d.image, NULL, 1 * MiB);
    next(&c, GiB);
    assert_true(d.m.extent_calls < 4200);
    image_close(d.image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_disk),
        cmocka_unit_test(test_exabytes_of_hole),
        cmocka_unit_test(test_many_holes),
        cmocka_unit_test(test_slow_map),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_many_extents),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
