/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A slice against the bytes that it has, by each way to read them.
 */
#include "test.h"

#include <errno.h>

#include "memory_reader.h"
#include "reader/slice.h"

#define SIZE 5000
#define BASE 700
#define LENGTH 3000
#define READS 20

static unsigned char bytes[SIZE];
static unsigned char bufs[READS][LENGTH];

static struct read random_read(struct reader *slice, int i)
{
    uint64_t offset = random_number() % LENGTH;

    return (struct read){
        .reader = slice,
        .buf = bufs[i],
        .offset = offset,
        .len = 1 + random_number() % (LENGTH - offset),
    };
}

/* Whether a read has the bytes of the slice, or all before the bad one. */
static void check(const struct read *read, const struct read *before,
                  uint64_t bad)
{
    size_t len = read->len;

    assert_ptr_equal(read->reader, before->reader);
    assert_true(read->offset == before->offset);
    if (bad >= read->offset && bad - read->offset < len) {
        len = bad - read->offset;
        assert_int_equal(read->error, EIO);
    } else {
        assert_int_equal(read->error, 0);
    }
    assert_int_equal(read->done, len);
    assert_memory_equal(read->buf, bytes + BASE + read->offset, len);
}

static void check_alone(struct reader *slice, uint64_t bad)
{
    struct read read = random_read(slice, 0);
    const struct read before = read;
    bool all = read.reader->ops->try_read(&read);

    assert_ptr_equal(read.reader, slice);
    assert_int_equal(all, read.done == read.len);
    if (!all)
        slice->ops->read_rest(&read);
    check(&read, &before, bad);
}

/* Reads in flight come back in any order, and as they were. */
static void check_queue(struct reader *slice, uint64_t bad)
{
    struct read reads[READS], before[READS];
    struct error error = ERROR_INIT;
    struct read_queue *queue;
    int finished = 0;

    assert_int_equal(slice->ops->queue_new(slice, READS, &queue, &error), 0);
    for (int i = 0; i < READS; i++)
        reads[i] = before[i] = random_read(slice, i);
    /* One that is finished is none of the queue's. */
    reads[READS / 2].done = reads[READS / 2].len;
    queue->ops->submit(queue, reads, READS);
    for (int i = 1; i < READS; i++) {
        struct read *read = queue->ops->reap(queue, true);

        finished += read == &reads[READS / 2];
        check(read, &before[read - reads], bad);
    }
    assert_int_equal(finished, 0);
    assert_ptr_equal(reads[READS / 2].reader, slice);
    queue->ops->free(queue);
}

static void test_reads(void **state)
{
    struct error error = ERROR_INIT;
    struct memory_reader m;
    struct reader *slice;

    (void)state;
    random_fill(bytes, SIZE);
    for (int i = 0; i < 50; i++) {
        bool fails = i % 3 == 0;
        uint64_t bad = fails ? random_number() % LENGTH : NEVER;

        test_case("round %d", i);
        memory_reader_init(&m, bytes, SIZE);
        m.reverse = i % 2;
        m.partial = i % 5 == 0;
        if (fails)
            m.fail_read = BASE + bad;
        assert_int_equal(
            slice_open(&m.reader, BASE, LENGTH, "slice", &slice, &error), 0);
        check_alone(slice, bad);
        check_queue(slice, bad);
        slice->ops->close(slice);
    }
}

static void test_extents(void **state)
{
    static const bool holes[SIZE / 100] = { [8] = true, [9] = true };
    struct error error = ERROR_INIT;
    struct reader_extent e;
    struct memory_reader m;
    struct reader *slice;

    (void)state;
    memory_reader_init(&m, bytes, SIZE);
    m.unit = 100;
    m.holes = holes;
    assert_int_equal(
        slice_open(&m.reader, BASE, LENGTH, "slice", &slice, &error), 0);
    assert_int_equal(slice->ops->extent(slice, 0, LENGTH, &e, &error), 0);
    assert_true(!e.hole && e.length == 100);
    assert_int_equal(slice->ops->extent(slice, 150, LENGTH - 150, &e, &error),
                     0);
    assert_true(e.hole && e.length == 150);
    assert_int_equal(m.reader.begin, BASE);
    slice->begin = 512;
    assert_int_equal(slice->ops->extent(slice, 512, 1, &e, &error), 0);
    assert_int_equal(m.reader.begin, BASE + 512);
    slice->ops->will_need(slice, 33, 1);
    assert_int_equal(m.needed, BASE + 33);
    m.changed = true;
    assert_int_not_equal(slice->ops->check_unchanged(slice, &error), 0);
    assert_string_equal(error_message(&error), "slice: changed");
    error_clear(&error);
    slice->ops->close(slice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_extents),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
