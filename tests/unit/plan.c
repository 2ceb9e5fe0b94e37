/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/units.h"
#include "engine/source.h"
#include "memory_reader.h"

#define SLOT_SIZE MiB
#define LARGEST_HOLE (16 * GiB)
#define MOST_ZERO_BLOCKS (256 * KiB)

/* The maxima over all slots. */
struct largest {
    uint64_t length;
    uint64_t zero_blocks;
    size_t reads;
    unsigned extents;
};

static void note_slot(const struct slot *slot, const struct job *job,
                      struct largest *largest)
{
    uint64_t zero_blocks = 0;

    for (unsigned i = 0; i < slot->run_count; i++)
        zero_blocks += slot->runs[i].zero_blocks;
    if (slot->length > largest->length)
        largest->length = slot->length;
    if (zero_blocks > largest->zero_blocks)
        largest->zero_blocks = zero_blocks;
    if (job->read_count > largest->reads)
        largest->reads = job->read_count;
}

/* Plan a disk, or its first slots. */
static struct largest plan(struct memory_reader *m, size_t block_size,
                           unsigned slots)
{
    struct error error = ERROR_INIT;
    struct largest largest = { 0 };
    struct job job = { .capacity = SLOT_SIZE };
    struct image *image;
    struct source *source;
    uint64_t done = 0;

    job.buf = malloc(job.capacity);
    assert_non_null(job.buf);
    assert_int_equal(image_open_reader(
                         &m->reader, &(struct image_options){ .format = "raw" },
                         &image, &error),
                     0);
    assert_int_equal(image_source_new(image, block_size, &source), 0);
    while (slots-- && done < m->reader.size) {
        struct slot slot = { 0 };
        unsigned before = m->extent_calls;

        job.len = job.read_count = 0;
        assert_int_equal(source->next(source, &slot, &job, &error), 0);
        assert_true(slot.length > 0);
        done += slot.length;
        note_slot(&slot, &job, &largest);
        if (m->extent_calls - before > largest.extents)
            largest.extents = m->extent_calls - before;
    }
    source->free(source);
    image_close(image);
    free(job.reads);
    free(job.buf);
    return largest;
}

static void test_exabytes_of_hole(void **state)
{
    static const size_t block_sizes[] = { 512, 65536, 66048, 16 * MiB };
    static const bool hole[] = { true };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(block_sizes); i++) {
        struct memory_reader m;
        struct largest l;

        test_case("block size %zu", block_sizes[i]);
        memory_reader_init(&m, NULL, UINT64_C(4) << 60);
        m.unit = m.reader.size;
        m.holes = hole;
        l = plan(&m, block_sizes[i], 10);
        assert_true(l.length > 0 && l.length <= LARGEST_HOLE);
        assert_true(l.zero_blocks <= MOST_ZERO_BLOCKS);
    }
}

/* Two holes are smaller than the limit, but not together. */
static void test_holes_in_a_slot(void **state)
{
    static const bool holes[8] = { 1, 1, 1, 0, 1, 1, 1, 0 };
    struct memory_reader m;
    struct largest l;

    (void)state;
    memory_reader_init(&m, NULL, 8 * 4 * GiB);
    m.unit = 4 * GiB;
    m.holes = holes;
    m.one_unit = true;
    l = plan(&m, 65536, 100000);
    assert_true(l.length <= LARGEST_HOLE + SLOT_SIZE);
}

/* A slot ends after many extents, also of holes. */
static void test_small_parts_of_a_hole(void **state)
{
    static bool holes[100000];
    struct memory_reader m;
    struct largest l;

    (void)state;
    memset(holes, true, sizeof(holes));
    memory_reader_init(&m, NULL, sizeof(holes) * 512);
    m.unit = 512;
    m.holes = holes;
    m.one_unit = true;
    l = plan(&m, 512, 100000);
    assert_true(l.extents <= 5000);
}

/* The server reports each byte as an extent; a read needs 100 bytes of memory.
 */
static void test_bytes_that_take_turns(void **state)
{
    static bool holes[300000];
    struct memory_reader m;

    (void)state;
    for (size_t i = 0; i < sizeof(holes); i++)
        holes[i] = i % 2;
    memory_reader_init(&m, NULL, sizeof(holes));
    m.unit = 1;
    m.holes = holes;
    assert_true(plan(&m, 65536, 100).reads <= JOB_READS);
    m.extent_calls = 0;
    m.unit = 700; /* a hole is longer than a sector */
    m.reader.size = sizeof(holes);
    assert_true(plan(&m, 65536, 100).reads <= JOB_READS + 2 * 65536 / 700);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exabytes_of_hole),
        cmocka_unit_test(test_holes_in_a_slot),
        cmocka_unit_test(test_small_parts_of_a_hole),
        cmocka_unit_test(test_bytes_that_take_turns),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
