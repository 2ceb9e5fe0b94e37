/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "memory_reader.h"

#define MD 32
#define UNIT 1000
#define UNITS 5000
#define SIZE (UNITS * UNIT)

static unsigned char bytes[SIZE];
static bool holes[UNITS];

/* Runs of holes and data, of random lengths that no block size divides. */
static int make_content(void **state)
{
    (void)state;
    random_fill(bytes, SIZE);
    for (size_t i = 0; i < UNITS;) {
        size_t n = 1 + random_number() % 200;
        bool hole = random_number() % 2;

        for (; n > 0 && i < UNITS; n--, i++) {
            holes[i] = hole;
            if (hole)
                memset(bytes + i * UNIT, 0, UNIT);
        }
    }
    return 0;
}

/* Hash what a reader has. The alarm kills a test that hangs. */
static int checksum_for(struct memory_reader *m, struct engine_options *options,
                        struct sink *sink, struct engine_result *result,
                        struct error *error)
{
    struct engine_input input = { .name = "memory",
                                  .sinks = &sink,
                                  .sink_count = sink != NULL };
    struct pollfd pfd = { .events = POLLIN };
    struct engine_progress progress;
    struct engine *e;
    int err;

    alarm(120);
    test_case("size %llu, threads %u, depth %u, read size %zu, hashes %u, "
              "block size %zu, fail_read %llu, fail_extent %llu, end %llu",
              (unsigned long long)m->reader.size, options->threads,
              options->queue_depth, options->read_size, options->hash_count,
              options->hashes[0].block_size, (unsigned long long)m->fail_read,
              (unsigned long long)m->fail_extent, (unsigned long long)m->end);
    assert_int_equal(image_open_reader(
                         &m->reader, &(struct image_options){ .format = "raw" },
                         &input.image, error),
                     0);
    assert_int_equal(engine_new(options, &input, &e, error), 0);
    assert_int_equal(engine_start(e, error), 0);
    pfd.fd = engine_done_fd(e);
    if (pfd.fd >= 0)
        assert_int_equal(poll(&pfd, 1, -1), 1);
    err = engine_finish(e, result, error);
    engine_progress(e, &progress);
    assert_int_equal(progress.size, input.image->size);
    assert_true(progress.done <= progress.size);
    if (!err)
        assert_int_equal(progress.done, progress.size);
    engine_free(e);
    image_close(input.image);
    alarm(0);
    return err;
}

static int checksum(struct memory_reader *m, struct engine_options *options,
                    struct engine_result *result, struct error *error)
{
    return checksum_for(m, options, NULL, result, error);
}

/* One to three checksums; of two block sizes, one divides the other. All but
 * the first can be plain. */
static struct engine_options random_options(void)
{
    static const char *const digests[] = { "sha256", "sha512", "blake2b512" };
    size_t block_size = random_number() % 4 ? 512 : 3 * 512;
    struct engine_options options;

    engine_default_options(&options);
    options.threads = 1 + random_number() % 8;
    options.queue_depth = 1 + random_number() % 32;
    options.read_size = 4096 << random_number() % 9;
    options.hash_count = 1 + random_number() % 3;
    for (unsigned i = 0; i < options.hash_count; i++) {
        options.hashes[i].block_size = block_size << random_number() % 12;
        options.hashes[i].digest = i ? digests[random_number() % 3] : "sha256";
        if (i && random_number() % 2)
            options.hashes[i].block_size = 0;
    }
    return options;
}

static void check_sums(const struct engine_options *options,
                       const struct engine_result *r, const unsigned char *disk)
{
    for (unsigned i = 0; i < options->hash_count; i++) {
        const struct engine_hash *h = &options->hashes[i];
        unsigned char expected[BLKHASH_MAX_MD_SIZE];
        unsigned len =
            h->block_size ? oracle_checksum(h->digest, h->block_size, disk,
                                            r->length, expected)
                          : oracle_digest(h->digest, disk, r->length, expected);

        assert_int_equal(r->sums[i].md_len, len);
        assert_memory_equal(r->sums[i].md, expected, len);
    }
}

static void check(struct memory_reader *m, struct engine_options *options)
{
    struct error error = ERROR_INIT;
    struct engine_result r;
    uint64_t size = m->reader.size + -m->reader.size % SECTOR_SIZE;
    static unsigned char padded[SIZE + SECTOR_SIZE];

    assert_int_equal(checksum(m, options, &r, &error), 0);
    memcpy(padded, m->bytes, m->reader.size);
    memset(padded + m->reader.size, 0, size - m->reader.size);
    assert_int_equal(r.length, size);
    check_sums(options, &r, padded);
    assert_int_equal(r.counts.data + r.counts.zero + r.counts.hole, size);
    assert_true(r.counts.read <= m->reader.size);
}

static void test_orders(void **state)
{
    (void)state;
    for (int i = 0; i < 120; i++) {
        struct memory_reader m;
        struct engine_options options = random_options();

        memory_reader_init(&m, bytes, random_number() % (SIZE + 1));
        m.unit = UNIT;
        m.holes = random_number() % 4 ? holes : NULL;
        m.reverse = random_number() % 2;
        m.partial = random_number() % 2;
        m.reader.cached = random_number() % 2;
        if (i % 4 == 0)
            options.hashes[0].block_size = 0;
        check(&m, &options);
    }
}

/* A sink that computes the checksum of what it gets, and can fail. */
struct second_root {
    struct sink sink; /* the first member */
    struct blkhash_root *root;
    uint64_t calls_left; /* before one fails */
    struct sink_end end;
    unsigned char md[MD];
    const struct engine_result *result; /* of the engine */
    unsigned sums;                      /* in the result */
};

static int second_call(struct second_root *s, struct error *error)
{
    return s->calls_left-- ? 0 : error_set(error, ENOSPC, "second: full");
}

static int second_zero(struct sink *sink, uint64_t blocks, struct error *error)
{
    struct second_root *s = (struct second_root *)sink;

    assert_int_equal(blkhash_root_zero(s->root, blocks), 0);
    return second_call(s, error);
}

static int second_digests(struct sink *sink, const unsigned char *mds,
                          size_t count, struct error *error)
{
    struct second_root *s = (struct second_root *)sink;

    assert_int_equal(blkhash_root_digests(s->root, mds, count), 0);
    return second_call(s, error);
}

static int second_end(struct sink *sink, struct sink_end *end,
                      struct error *error)
{
    struct second_root *s = (struct second_root *)sink;

    s->end = *end;
    for (unsigned i = 1; i < s->sums; i++)
        assert_true(s->result->sums[i].md_len > 0);
    assert_int_equal(blkhash_root_final(s->root, end->length, s->md, NULL), 0);
    return second_call(s, error);
}

static void second_root_init(struct second_root *s, size_t block_size)
{
    *s = (struct second_root){
        .sink = { second_zero, second_digests, second_end },
        .root = blkhash_root_new(block_size, "sha256"),
        .calls_left = UINT64_MAX,
    };
}

/* A sink gets all digests in order, and then the checksum, when the others are
 * there. */
static void test_sinks(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        struct memory_reader m;
        struct engine_options options = random_options();
        struct error error = ERROR_INIT;
        struct engine_result r;
        struct second_root s;

        memory_reader_init(&m, bytes, random_number() % (SIZE + 1));
        m.unit = UNIT;
        m.holes = holes;
        m.reverse = random_number() % 2;
        m.reader.cached = random_number() % 2;
        second_root_init(&s, options.hashes[0].block_size);
        s.result = &r;
        s.sums = options.hash_count;
        assert_int_equal(checksum_for(&m, &options, &s.sink, &r, &error), 0);
        assert_int_equal(s.end.length, r.length);
        assert_int_equal(s.end.md_len, MD);
        assert_memory_equal(s.end.md, r.sums[0].md, MD);
        assert_memory_equal(s.md, r.sums[0].md, MD);
        blkhash_root_free(s.root);
    }
}

/* The error of a sink is that of the engine, which does not call it again. */
static void test_sink_errors(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        struct memory_reader m;
        struct engine_options options = random_options();
        struct error error = ERROR_INIT;
        struct engine_result r;
        struct second_root s;

        memory_reader_init(&m, bytes, SIZE);
        m.reader.cached = random_number() % 2;
        second_root_init(&s, options.hashes[0].block_size);
        s.calls_left = random_number() % 3;
        assert_int_equal(checksum_for(&m, &options, &s.sink, &r, &error),
                         ENOSPC);
        assert_string_equal(error_message(&error), "second: full");
        assert_true(s.calls_left == UINT64_MAX);
        error_clear(&error);
        blkhash_root_free(s.root);
    }
}

/* The serial mode gives the same checksum as all others. */
static void test_serial(void **state)
{
    struct memory_reader m;
    struct engine_options options;

    (void)state;
    engine_default_options(&options);
    options.threads = 1;
    options.queue_depth = 1;
    memory_reader_init(&m, bytes, SIZE);
    m.unit = UNIT;
    m.holes = holes;
    check(&m, &options);
}

/* The reader is asked once for each extent, however many slots it spans. */
static void test_asks_once_per_extent(void **state)
{
    static bool sectors[SIZE / SECTOR_SIZE + 1]; /* that are holes */
    struct memory_reader m;
    struct engine_options options;
    unsigned extents = 1;

    (void)state;
    for (size_t i = 0; i < sizeof(sectors); i++) {
        size_t first = i * SECTOR_SIZE / UNIT;
        size_t last = (i * SECTOR_SIZE + SECTOR_SIZE - 1) / UNIT;

        sectors[i] = holes[first] && (last >= UNITS || holes[last]);
        if (i > 0)
            extents += sectors[i] != sectors[i - 1];
    }
    engine_default_options(&options);
    options.read_size = 4096;
    options.hashes[0].block_size = 512;
    memory_reader_init(&m, bytes, SIZE);
    m.unit = SECTOR_SIZE;
    m.holes = sectors;
    check(&m, &options);
    assert_int_equal(m.extent_calls, extents);
}

/* If a byte cannot be read, the error names its offset, whatever the order of
 * the reads and the number of threads. */
static void test_read_errors(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct memory_reader m;
        struct engine_options options = random_options();
        struct error error = ERROR_INIT;
        struct engine_result r;
        char expected[100];

        memory_reader_init(&m, bytes, SIZE);
        m.reverse = random_number() % 2;
        m.fail_read = random_number() % SIZE;
        assert_int_equal(checksum(&m, &options, &r, &error), EIO);
        snprintf(expected, sizeof(expected),
                 "memory: read error at offset %u: Input/output error",
                 (unsigned)m.fail_read);
        assert_string_equal(error_message(&error), expected);
        error_clear(&error);
    }
}

/* Of many faults, found in any order, the first on the disk is reported. */
static void test_first_of_several_faults(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct memory_reader m;
        struct engine_options options = random_options();
        struct error error = ERROR_INIT;
        struct engine_result r;
        uint64_t first;
        char expected[100];

        memory_reader_init(&m, bytes, SIZE);
        m.unit = UNIT;
        m.reverse = random_number() % 4;
        m.partial = random_number() % 2;
        m.fail_read = random_number() % SIZE;
        m.fail_from = random_number() % SIZE;
        m.fail_extent = random_number() % SIZE / SECTOR_SIZE * SECTOR_SIZE;
        first = m.fail_read < m.fail_from ? m.fail_read : m.fail_from;
        if (m.fail_extent <= first)
            snprintf(expected, sizeof(expected), "memory: no extents");
        else
            snprintf(expected, sizeof(expected),
                     "memory: read error at offset %u: Input/output error",
                     (unsigned)first);
        assert_int_equal(checksum(&m, &options, &r, &error), EIO);
        assert_string_equal(error_message(&error), expected);
        error_clear(&error);
    }
}

static void test_object_that_ends_early(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        struct memory_reader m;
        struct engine_options options = random_options();
        struct error error = ERROR_INIT;
        struct engine_result r;

        memory_reader_init(&m, bytes, SIZE);
        m.end = random_number() % SIZE;
        assert_int_equal(checksum(&m, &options, &r, &error), EIO);
        assert_non_null(strstr(error_message(&error), "memory is short"));
        error_clear(&error);
    }
}

/* An image of one slot is hashed by the calling thread, with the same checksum
 * and the same errors. */
static void test_one_slot(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct memory_reader m;
        struct engine_options options = random_options();
        struct error error = ERROR_INIT;
        struct engine_result r;
        char expected[100];

        options.read_size = MiB;
        memory_reader_init(&m, bytes, 1 + random_number() % MiB);
        m.unit = UNIT;
        m.holes = random_number() % 2 ? holes : NULL;
        m.partial = random_number() % 2;
        m.reader.cached = true;
        check(&m, &options);

        m.holes = NULL;
        m.fail_read = random_number() % m.reader.size;
        assert_int_equal(checksum(&m, &options, &r, &error), EIO);
        snprintf(expected, sizeof(expected),
                 "memory: read error at offset %u: Input/output error",
                 (unsigned)m.fail_read);
        assert_string_equal(error_message(&error), expected);
        error_clear(&error);
    }
}

static void test_extent_errors(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        struct memory_reader m;
        struct engine_options options = random_options();
        struct error error = ERROR_INIT;
        struct engine_result r;

        memory_reader_init(&m, bytes, SIZE);
        m.unit = UNIT;
        m.holes = holes;
        m.fail_extent = random_number() % SIZE / SECTOR_SIZE * SECTOR_SIZE;
        assert_int_equal(checksum(&m, &options, &r, &error), EIO);
        assert_string_equal(error_message(&error), "memory: no extents");
        error_clear(&error);
    }
}

/* --- pipes ---------------------------------------------------------------- */

static void *write_pipe(void *arg)
{
    const int *pipe = arg;
    size_t done = 0;

    while (done < (size_t)pipe[2]) {
        ssize_t n = write(pipe[1], bytes + done, pipe[2] - done);

        assert_true(n > 0);
        done += n;
    }
    close(pipe[1]);
    return NULL;
}

/* Where a worker waits for the writer of a pipe, others carry on with what was
 * read. */
static void test_pipe(void **state)
{
    (void)state;
    for (int i = 0; i < 30; i++) {
        struct engine_options options = random_options();
        int pipe_and_size[3] = { -1, -1, 1 + random_number() % SIZE };
        static unsigned char padded[SIZE + SECTOR_SIZE];
        struct error error = ERROR_INIT;
        struct engine_input from = { .name = "pipe" };
        struct engine_result r;
        struct engine *e;
        pthread_t writer;

        test_case("run %d, size %d", i, pipe_and_size[2]);
        if (i % 4 == 0)
            options.hashes[0].block_size = 0;
        alarm(120);
        assert_int_equal(pipe(pipe_and_size), 0);
        from.fd = pipe_and_size[0];
        pthread_create(&writer, NULL, write_pipe, pipe_and_size);
        assert_int_equal(engine_new(&options, &from, &e, &error), 0);
        assert_int_equal(engine_start(e, &error), 0);
        assert_int_equal(engine_finish(e, &r, &error), 0);
        engine_free(e);
        pthread_join(writer, NULL);
        close(pipe_and_size[0]);
        alarm(0);
        memset(padded, 0, sizeof(padded));
        memcpy(padded, bytes, pipe_and_size[2]);
        assert_int_equal(r.length / SECTOR_SIZE,
                         (pipe_and_size[2] + SECTOR_SIZE - 1) / SECTOR_SIZE);
        check_sums(&options, &r, padded);
    }
}

static void test_change(void **state)
{
    struct memory_reader m;
    struct engine_options options = random_options();
    struct error error = ERROR_INIT;
    struct engine_result r;

    (void)state;
    memory_reader_init(&m, bytes, SIZE);
    m.changed = true;
    assert_int_equal(checksum(&m, &options, &r, &error), EBUSY);
    assert_string_equal(error_message(&error), "memory: changed");
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_serial),
        cmocka_unit_test(test_sinks),
        cmocka_unit_test(test_sink_errors),
        cmocka_unit_test(test_asks_once_per_extent),
        cmocka_unit_test(test_read_errors),
        cmocka_unit_test(test_first_of_several_faults),
        cmocka_unit_test(test_object_that_ends_early),
        cmocka_unit_test(test_one_slot),
        cmocka_unit_test(test_extent_errors),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_pipe),
    };

    return RUN_TESTS(tests, make_content, NULL);
}
