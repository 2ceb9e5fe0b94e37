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

#define MD 32
#define KNOWN_ROOM 64

/* The maxima over all slots. */
struct largest {
    uint64_t length;
    uint64_t zero_blocks;
    size_t known_blocks;
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
    if (slot->known_blocks > largest->known_blocks)
        largest->known_blocks = slot->known_blocks;
    if (job->read_count > largest->reads)
        largest->reads = job->read_count;
}

/* Of two block sizes; the larger one is that of slots. */
static struct hashes hashes_of(size_t block_size, size_t smallest)
{
    return (struct hashes){ .block_size = block_size,
                            .smallest = smallest,
                            .blocks = { { .md_size = MD } } };
}

/* Plan a disk, or its first slots. */
static struct largest plan_hashes(struct memory_reader *m, struct known *known,
                                  const struct hashes *hashes, unsigned slots)
{
    struct error error = ERROR_INIT;
    struct largest largest = { 0 };
    struct job job = { .capacity = SLOT_SIZE };
    struct engine_input input = { .known = known };
    struct source *source;
    uint64_t done = 0;

    job.buf = malloc(job.capacity);
    assert_non_null(job.buf);
    assert_int_equal(image_open_reader(
                         &m->reader, &(struct image_options){ .format = "raw" },
                         &input.image, &error),
                     0);
    assert_int_equal(image_source_new(&input, hashes, KNOWN_ROOM, &source), 0);
    while (slots-- && done < m->reader.size) {
        struct slot slot = { 0 };
        unsigned before = m->extent_calls;

        job.len = job.read_count = 0;
        assert_int_equal(source->next(source, &slot, &job, &error), 0);
        assert_true(slot.length > 0);
        done += slot.length;
        note_slot(&slot, &job, &largest);
        slot_free(&slot);
        if (m->extent_calls - before > largest.extents)
            largest.extents = m->extent_calls - before;
    }
    source->free(source);
    image_close(input.image);
    free(job.reads);
    free(job.buf);
    return largest;
}

static struct largest plan_known(struct memory_reader *m, struct known *known,
                                 size_t block_size, unsigned slots)
{
    const struct hashes hashes = hashes_of(block_size, block_size);

    return plan_hashes(m, known, &hashes, slots);
}

static struct largest plan(struct memory_reader *m, size_t block_size,
                           unsigned slots)
{
    return plan_known(m, NULL, block_size, slots);
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

/* The smallest blocks count: each root has to hash their digests. */
static void test_exabytes_of_hole_with_two_block_sizes(void **state)
{
    static const size_t block_sizes[] = { 512, 65536, 16 * MiB };
    static const bool hole[] = { true };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(block_sizes); i++) {
        const struct hashes hashes = hashes_of(block_sizes[i], 512);
        struct memory_reader m;
        struct largest l;

        test_case("block size %zu", block_sizes[i]);
        memory_reader_init(&m, NULL, UINT64_C(4) << 60);
        m.unit = m.reader.size;
        m.holes = hole;
        l = plan_hashes(&m, NULL, &hashes, 10);
        assert_int_equal(l.length, 512 * MOST_ZERO_BLOCKS);
    }
}

/* A plain hash hashes each byte of a hole. */
static void test_exabytes_of_hole_for_a_plain_hash(void **state)
{
    static const bool hole[] = { true };

    (void)state;
    for (unsigned plain = 0; plain < 2; plain++) {
        struct hashes hashes = hashes_of(16 * MiB, 16 * MiB);
        struct memory_reader m;
        struct largest l;

        hashes.plain_count = plain;
        memory_reader_init(&m, NULL, UINT64_C(4) << 60);
        m.unit = m.reader.size;
        m.holes = hole;
        l = plan_hashes(&m, NULL, &hashes, 10);
        assert_int_equal(l.length, plain ? 64 * MiB : LARGEST_HOLE);
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

/* --- what is known ------------------------------------------------------ */

/* Kinds take turns, in runs of so many blocks. */
struct pattern {
    struct known known; /* the first member */
    uint64_t run;
    enum known_kind kinds[3];
    uint64_t next; /* the least block that can be asked for */
};

static int pattern_next(struct known *known, uint64_t block, uint64_t max,
                        struct known_run *run, struct error *error)
{
    static const unsigned char mds[1 << 20];
    struct pattern *p = (struct pattern *)known;
    uint64_t left = p->run - block % p->run;

    (void)error;
    assert_true(block >= p->next);
    *run = (struct known_run){ .kind = p->kinds[block / p->run % 3],
                               .blocks = left < max ? left : max,
                               .mds = mds };
    if (run->kind == KNOWN_DIGESTS && run->blocks > sizeof(mds) / MD)
        run->blocks = sizeof(mds) / MD;
    p->next = block + run->blocks;
    return 0;
}

/* Slots of blocks that are known are as small as others, and what is known is
 * not mapped. */
static void test_exabytes_that_are_known(void **state)
{
    static const size_t block_sizes[] = { 512, 65536, 66048, 16 * MiB };
    static const enum known_kind kinds[] = { KNOWN_ZERO, KNOWN_DIGESTS };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(block_sizes) * 2; i++) {
        enum known_kind kind = kinds[i % 2];
        struct pattern p = { .known.next = pattern_next,
                             .run = UINT64_C(1) << 60,
                             .kinds = { kind, kind, kind } };
        struct memory_reader m;
        struct largest l;

        test_case("block size %zu, kind %d", block_sizes[i / 2], kind);
        memory_reader_init(&m, NULL, UINT64_C(4) << 60);
        l = plan_known(&m, &p.known, block_sizes[i / 2], 10);
        assert_true(l.length <= LARGEST_HOLE);
        assert_true(l.zero_blocks <= MOST_ZERO_BLOCKS);
        assert_true(kind == KNOWN_DIGESTS || l.zero_blocks > KNOWN_ROOM);
        assert_true(l.known_blocks <= KNOWN_ROOM);
        assert_true((l.known_blocks > 0) == (kind == KNOWN_DIGESTS));
        assert_int_equal(m.extent_calls, 0);
    }
}

/* A slot ends after many answers, too, even if nothing is known. */
static void test_small_parts_that_are_not_known(void **state)
{
    static bool holes[100000];
    struct pattern p = { .known.next = pattern_next, .run = 1 };
    struct memory_reader m;

    (void)state;
    memset(holes, true, sizeof(holes));
    memory_reader_init(&m, NULL, sizeof(holes) * 512);
    m.unit = 512;
    m.holes = holes;
    assert_true(plan_known(&m, &p.known, 512, 100000).zero_blocks <= 5000);
    assert_int_equal(m.extent_calls, sizeof(holes));
}

/* In a run, zeros come first, then known digests, then data. */
static void test_order_in_a_slot(void **state)
{
    struct error error = ERROR_INIT;
    struct pattern p = { .known.next = pattern_next,
                         .run = 2,
                         .kinds = { KNOWN_DIGESTS, KNOWN_ZERO, KNOWN_NOT } };
    struct engine_input input = { .known = &p.known };
    struct job job = { .capacity = SLOT_SIZE, .buf = malloc(SLOT_SIZE) };
    struct slot slot = { 0 };
    const struct hashes hashes = hashes_of(4096, 4096);
    struct memory_reader m;
    struct source *source;

    (void)state;
    memory_reader_init(&m, NULL, 13 * 4096 - 512);
    assert_int_equal(
        image_open_reader(&m.reader, &(struct image_options){ .format = "raw" },
                          &input.image, &error),
        0);
    assert_int_equal(image_source_new(&input, &hashes, KNOWN_ROOM, &source), 0);
    assert_int_equal(source->next(source, &slot, &job, &error), 0);
    assert_int_equal(slot.length, m.reader.size);
    assert_int_equal(slot.known, slot.length - 4 * 4096);
    assert_int_equal(slot.hole, 0);
    assert_int_equal(job.len, 4 * 4096);
    assert_int_equal(slot.run_count, 5);
    assert_int_equal(slot.runs[0].known_blocks, 2);
    for (int i = 1; i < 5; i++)
        assert_int_equal(slot.runs[i].zero_blocks, i % 2 ? 2 : 0);
    assert_int_equal(slot.runs[1].data_blocks, 2);
    assert_int_equal(slot.runs[2].known_blocks, 2);
    assert_int_equal(slot.runs[3].data_blocks, 2);
    assert_int_equal(slot.runs[4].known_blocks, 1);
    slot_free(&slot);
    source->free(source);
    image_close(input.image);
    free(job.reads);
    free(job.buf);
}

/* A list cannot know that a short block at the end is a whole block of zeros.
 */
static void test_short_block_is_no_zero_block(void **state)
{
    struct pattern p = { .known.next = pattern_next,
                         .run = 100,
                         .kinds = { KNOWN_ZERO } };
    struct memory_reader m;
    struct largest l;

    (void)state;
    memory_reader_init(&m, NULL, 10 * 4096 + 512);
    l = plan_known(&m, &p.known, 4096, 1);
    assert_int_equal(l.zero_blocks, 10);
    assert_int_equal(l.reads, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exabytes_of_hole),
        cmocka_unit_test(test_exabytes_of_hole_with_two_block_sizes),
        cmocka_unit_test(test_exabytes_of_hole_for_a_plain_hash),
        cmocka_unit_test(test_holes_in_a_slot),
        cmocka_unit_test(test_small_parts_of_a_hole),
        cmocka_unit_test(test_bytes_that_take_turns),
        cmocka_unit_test(test_exabytes_that_are_known),
        cmocka_unit_test(test_small_parts_that_are_not_known),
        cmocka_unit_test(test_order_in_a_slot),
        cmocka_unit_test(test_short_block_is_no_zero_block),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
