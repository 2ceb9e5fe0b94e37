/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/units.h"
#include "engine/engine.h"
#include "memory_reader.h"

#define SIZE 2000000
#define UNITS 4000
#define MAX_RANGES (SIZE / SECTOR_SIZE + 2)

/* Two disks, of which parts are alike, and one where a part is a hole. */
static unsigned char bytes[2][SIZE + SECTOR_SIZE];
static bool holes[2][UNITS];
static const uint64_t units[2] = { 700, 3000 };

struct ranges {
    struct difference list[MAX_RANGES];
    size_t count;
};

static int add_range(void *arg, const struct difference *d, struct error *error)
{
    struct ranges *r = arg;

    (void)error;
    assert_true(r->count < MAX_RANGES);
    r->list[r->count++] = *d;
    return 0;
}

static bool is_zero(const unsigned char *p)
{
    static const unsigned char zeros[SECTOR_SIZE];

    return memcmp(p, zeros, SECTOR_SIZE) == 0;
}

/* The definition, sector by sector. */
static void find_ranges(size_t size, struct ranges *ranges)
{
    struct difference *last = NULL;

    ranges->count = 0;
    for (size_t at = 0; at < size; at += SECTOR_SIZE) {
        const unsigned char *a = bytes[0] + at, *b = bytes[1] + at;
        enum difference_kind kind = is_zero(a)   ? DIFFERENCE_ZERO_IN_A
                                    : is_zero(b) ? DIFFERENCE_ZERO_IN_B
                                                 : DIFFERENCE_BYTES;

        if (memcmp(a, b, SECTOR_SIZE) == 0)
            continue;
        if (last && last->kind == kind && last->offset + last->length == at) {
            last->length += SECTOR_SIZE;
            continue;
        }
        last = &ranges->list[ranges->count++];
        *last = (struct difference){ at, SECTOR_SIZE, kind };
    }
}

/* Runs of equal bytes and of others, and of zeros, at places that no sector
 * divides. Then holes, where all is zeros. */
static void make_content(size_t size)
{
    memset(bytes, 0, sizeof(bytes));
    random_mixture(bytes[0], size, 1 + random_number() % 20000);
    memcpy(bytes[1], bytes[0], size);
    for (size_t at = random_number() % 100000; at < size;) {
        size_t n = 1 + random_number() % 3000;

        if (n > size - at)
            n = size - at;
        if (random_number() % 3)
            random_fill(bytes[random_number() % 2] + at, n);
        else
            memset(bytes[random_number() % 2] + at, 0, n);
        at += n + random_number() % 100000;
    }
    for (int i = 0; i < 2; i++) {
        memset(holes[i], 0, sizeof(holes[i]));
        for (size_t u = 0; (u + 1) * units[i] <= size; u++) {
            const unsigned char *p = bytes[i] + u * units[i];

            holes[i][u] = p[0] == 0 && memcmp(p, p + 1, units[i] - 1) == 0 &&
                          random_number() % 4;
        }
    }
}

static void init_readers(struct memory_reader readers[2], size_t size)
{
    static char names[2][2] = { "a", "b" };

    for (int i = 0; i < 2; i++) {
        memory_reader_init(&readers[i], bytes[i], size);
        readers[i].reader.name = names[i];
        readers[i].unit = units[i];
        readers[i].holes = holes[i];
        readers[i].reverse = random_number() % 2;
        readers[i].partial = random_number() % 2;
        readers[i].reader.cached = random_number() % 2;
    }
}

static void random_options(struct engine_options *options)
{
    engine_default_options(options);
    options->threads = 1 + random_number() % 8;
    options->queue_depth = 1 + random_number() % 32;
    options->read_size = 4096 << random_number() % 9;
}

/* Compare what two readers have. The alarm kills a test that hangs. */
static int compare(struct memory_reader readers[2],
                   struct differences *differences,
                   struct engine_result *result, struct error *error)
{
    const struct image_options raw = { .format = "raw" };
    struct engine_input input = { .name = "pair", .differences = differences };
    struct engine_options options;
    struct pollfd pfd = { .events = POLLIN };
    struct engine *e;
    int err;

    alarm(120);
    random_options(&options);
    test_case("sizes %llu and %llu, threads %u, depth %u, read size %zu",
              (unsigned long long)readers[0].reader.size,
              (unsigned long long)readers[1].reader.size, options.threads,
              options.queue_depth, options.read_size);
    assert_int_equal(
        image_open_reader(&readers[0].reader, &raw, &input.image, error), 0);
    assert_int_equal(
        image_open_reader(&readers[1].reader, &raw, &input.other, error), 0);
    assert_int_equal(engine_new(&options, &input, &e, error), 0);
    assert_int_equal(engine_start(e, error), 0);
    pfd.fd = engine_done_fd(e);
    if (pfd.fd >= 0)
        assert_int_equal(poll(&pfd, 1, -1), 1);
    err = engine_finish(e, result, error);
    engine_free(e);
    image_close(input.image);
    image_close(input.other);
    alarm(0);
    return err;
}

static uint64_t whole_sectors(uint64_t size)
{
    return size + -size % SECTOR_SIZE;
}

static void test_content(void **state)
{
    static struct ranges expected, found;

    (void)state;
    for (int i = 0; i < 150; i++) {
        struct memory_reader readers[2];
        struct differences d = { .take = add_range, .arg = &found };
        struct engine_result r;
        struct error error = ERROR_INIT;
        size_t size = random_number() % 4 ? random_number() % SIZE
                                          : random_number() % 3000;
        uint64_t length = whole_sectors(size);

        make_content(size);
        init_readers(readers, size);
        if (random_number() % 2)
            readers[random_number() % 2].reader.size = SIZE;
        found.count = 0;
        assert_int_equal(compare(readers, &d, &r, &error), 0);
        assert_int_equal(differences_end(&d, &error), 0);
        find_ranges(length, &expected);
        assert_int_equal(found.count, expected.count);
        for (size_t k = 0; k < found.count; k++) {
            assert_int_equal(found.list[k].offset, expected.list[k].offset);
            assert_int_equal(found.list[k].length, expected.list[k].length);
            assert_int_equal(found.list[k].kind, expected.list[k].kind);
        }
        assert_int_equal(r.length, length);
        assert_int_equal(r.counts.data + r.counts.hole, length);
        assert_int_equal(d.offset, length);
        assert_int_equal(r.sums[0].md_len, 0);
    }
}

static void test_stop_at_first(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        struct memory_reader readers[2];
        struct differences d = { .stop = true };
        struct engine_result r;
        struct error error = ERROR_INIT;

        make_content(SIZE);
        memcpy(bytes[1], bytes[0], SIZE);
        bytes[1][SIZE - 100000 * (i % 3) - 1] ^= 1;
        init_readers(readers, SIZE);
        readers[0].holes = readers[1].holes = NULL;
        assert_int_equal(compare(readers, &d, &r, &error), ECANCELED);
        assert_true(d.bytes > 0);
        error_clear(&error);
    }
}

/* Whichever disk has it, the error of a read names its place. */
static void test_read_errors(void **state)
{
    (void)state;
    make_content(SIZE);
    for (int i = 0; i < 100; i++) {
        struct memory_reader readers[2];
        static struct ranges found;
        struct differences d = { .take = add_range, .arg = &found };
        struct engine_result r;
        struct error error = ERROR_INIT;
        int bad = random_number() % 2;
        char expected[100];

        init_readers(readers, SIZE);
        readers[0].holes = readers[1].holes = NULL;
        readers[bad].fail_read = random_number() % SIZE;
        found.count = 0;
        assert_int_equal(compare(readers, &d, &r, &error), EIO);
        snprintf(expected, sizeof(expected),
                 "%c: read error at offset %u: Input/output error", "ab"[bad],
                 (unsigned)readers[bad].fail_read);
        assert_string_equal(error_message(&error), expected);
        error_clear(&error);
    }
}

static void test_no_extents(void **state)
{
    (void)state;
    make_content(SIZE);
    for (int i = 0; i < 20; i++) {
        struct memory_reader readers[2];
        static struct ranges found;
        struct differences d = { .take = add_range, .arg = &found };
        struct engine_result r;
        struct error error = ERROR_INIT;

        init_readers(readers, SIZE);
        readers[i % 2].fail_extent = random_number() % SIZE / 512 * 512;
        found.count = 0;
        assert_int_equal(compare(readers, &d, &r, &error), EIO);
        assert_string_equal(error_message(&error),
                            i % 2 ? "b: no extents" : "a: no extents");
        error_clear(&error);
    }
}

/* However long two holes are, they are one step. */
static void test_exabytes_of_hole(void **state)
{
    static const bool hole[] = { true };
    struct memory_reader readers[2];
    struct differences d = { 0 };
    struct engine_result r;
    struct error error = ERROR_INIT;

    (void)state;
    for (int i = 0; i < 2; i++) {
        memory_reader_init(&readers[i], NULL, UINT64_C(4) << 60);
        readers[i].unit = readers[i].reader.size;
        readers[i].holes = hole;
    }
    assert_int_equal(compare(readers, &d, &r, &error), 0);
    assert_int_equal(r.counts.hole, UINT64_C(4) << 60);
    assert_int_equal(d.bytes, 0);
    assert_in_range(readers[0].extent_calls, 1, 2);
}

/* Bytes in the same place of the same file are not read. */
static void test_same_bytes(void **state)
{
    struct memory_reader readers[2];
    struct differences d = { 0 };
    struct engine_result r;
    struct error error = ERROR_INIT;

    (void)state;
    make_content(SIZE);
    for (int i = 0; i < 2; i++) {
        memory_reader_init(&readers[i], bytes[0], SIZE);
        readers[i].reader.id = (struct object_id){ 1, 2 };
    }
    assert_int_equal(compare(readers, &d, &r, &error), 0);
    assert_true(r.counts.read < SECTOR_SIZE * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_stop_at_first),
        cmocka_unit_test(test_read_errors),
        cmocka_unit_test(test_no_extents),
        cmocka_unit_test(test_exabytes_of_hole),
        cmocka_unit_test(test_same_bytes),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
