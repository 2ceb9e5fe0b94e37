/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "blkhash.h"

#define MD 32
#define DEPTH 4

static struct blkhash *new_stream(unsigned threads)
{
    struct blkhash_options *o = blkhash_options_new("sha256");
    struct blkhash *h;

    blkhash_options_set_block_size(o, 4096);
    blkhash_options_set_threads(o, threads);
    blkhash_options_set_queue_depth(o, DEPTH);
    h = blkhash_new_with_options(o);
    blkhash_options_free(o);
    assert_non_null(h);
    return h;
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };

    return poll(&pfd, 1, timeout_ms) == 1;
}

/* Wait until there is a completion, and fetch all. Count those of each buffer.
 */
static unsigned reap(struct blkhash *h, int fd)
{
    struct blkhash_completion c[3];
    unsigned count;

    assert_true(is_readable(fd, -1));
    assert_int_equal(blkhash_completions(h, c, 3, &count), 0);
    assert_in_range(count, 1, 3);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(c[i].error, 0);
        ++*(unsigned *)c[i].user_data;
    }
    return count;
}

/* Many updates of random lengths, as many in flight as the depth allows, mixed
 * with the other calls: each completes once, and the checksum is right. */
static void test_many_updates(void **state)
{
    enum { UPDATES = 400, LONGEST = 100000 };
    unsigned char *content = malloc((size_t)UPDATES * LONGEST);
    static unsigned done[UPDATES];

    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++) {
        struct blkhash *h = new_stream(threads);
        unsigned char md[MD], expected[MD];
        unsigned in_flight = 0, started = 0;
        size_t len = 0;
        int fd;

        test_case("threads %u", threads);
        memset(done, 0, sizeof(done));
        assert_int_equal(blkhash_completion_fd(h, &fd), 0);
        for (unsigned i = 0; i < UPDATES; i++) {
            size_t n = random_number() % LONGEST;
            unsigned char *p = content + len;

            random_mixture(p, n, 9000);
            len += n;
            switch (random_number() % 4) {
            case 0:
                memset(p, 0, n);
                assert_int_equal(blkhash_zero(h, n), 0);
                done[i] = 1;
                break;
            case 1:
                assert_int_equal(blkhash_update(h, p, n), 0);
                done[i] = 1;
                break;
            default:
                while (in_flight == DEPTH)
                    in_flight -= reap(h, fd);
                assert_int_equal(blkhash_async_update(h, p, n, &done[i]), 0);
                in_flight++;
                started++;
            }
        }
        assert_true(started > 0);
        assert_int_equal(blkhash_final(h, md, NULL), 0);
        while (in_flight)
            in_flight -= reap(h, fd);
        assert_false(is_readable(fd, 0));
        for (unsigned i = 0; i < UPDATES; i++)
            assert_int_equal(done[i], 1);
        blkhash_free(h);

        oracle_checksum("sha256", 4096, content, len, expected);
        assert_memory_equal(md, expected, MD);
    }
    free(content);
}

/* The depth also limits the completions that are not fetched. */
static void test_too_many(void **state)
{
    static const unsigned char buf[8192];

    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct blkhash *h = new_stream(threads);
        struct blkhash_completion c[DEPTH];
        unsigned char md[MD], expected[MD],
            content[DEPTH * 8192 + 8192] = { 0 };
        unsigned fetched = 0, count;
        int fd;

        test_case("threads %u", threads);
        for (unsigned i = 0; i < DEPTH; i++)
            assert_int_equal(blkhash_async_update(h, buf, 8192, NULL), 0);
        assert_int_equal(blkhash_async_update(h, buf, 8192, NULL), EAGAIN);
        /* The descriptor is readable for a completion that is older than
         * itself. */
        assert_int_equal(blkhash_completion_fd(h, &fd), 0);
        while (fetched < DEPTH) {
            assert_true(is_readable(fd, -1));
            assert_int_equal(blkhash_completions(h, c, DEPTH, &count), 0);
            fetched += count;
        }
        assert_int_equal(blkhash_completions(h, c, DEPTH, &count), 0);
        assert_int_equal(count, 0);
        assert_int_equal(blkhash_async_update(h, buf, 8192, NULL), 0);
        assert_int_equal(blkhash_final(h, md, NULL), 0);
        oracle_checksum("sha256", 4096, content, sizeof(content), expected);
        assert_memory_equal(md, expected, MD);
        blkhash_free(h);
    }
}

static void test_empty_update_completes(void **state)
{
    struct blkhash *h = new_stream(2);
    struct blkhash_completion c;
    unsigned char md[MD];
    unsigned count;
    int mark;

    (void)state;
    assert_int_equal(blkhash_async_update(h, NULL, 0, &mark), 0);
    assert_int_equal(blkhash_completions(h, &c, 1, &count), 0);
    assert_int_equal(count, 1);
    assert_ptr_equal(c.user_data, &mark);
    assert_int_equal(c.error, 0);
    assert_int_equal(blkhash_final(h, md, NULL), 0);
    blkhash_free(h);
}

/* Whole blocks are hashed in place, so they must not change before the
 * completion. The parts of blocks at both ends are copied before the call
 * returns. */
static void test_ends_are_copied(void **state)
{
    struct blkhash *h = new_stream(2);
    unsigned char buf[3 * 4096], md[MD], expected[MD];
    struct blkhash_completion c;
    unsigned count;
    int fd;

    (void)state;
    random_fill(buf, sizeof(buf));
    oracle_checksum("sha256", 4096, buf, sizeof(buf), expected);
    assert_int_equal(blkhash_completion_fd(h, &fd), 0);
    assert_int_equal(blkhash_async_update(h, buf, 100, NULL), 0);
    memset(buf, 0, 100);
    assert_int_equal(
        blkhash_async_update(h, buf + 100, sizeof(buf) - 100, NULL), 0);
    for (unsigned fetched = 0; fetched < 2; fetched += count) {
        assert_true(is_readable(fd, -1));
        assert_int_equal(blkhash_completions(h, &c, 1, &count), 0);
    }
    memset(buf, 0, sizeof(buf));
    assert_int_equal(blkhash_final(h, md, NULL), 0);
    assert_memory_equal(md, expected, MD);
    blkhash_free(h);
}

/* A buffer belongs to the caller again with the completion. A caller that fills
 * it with other bytes at once gets the checksum of the old ones. */
static void test_memory_after_completion(void **state)
{
    enum { SIZE = (3 << 20) + 5000, ROUNDS = 12 };
    unsigned char *buf = malloc(SIZE), *all = malloc((size_t)SIZE * ROUNDS);
    struct blkhash *h = new_stream(3);
    unsigned char md[MD], expected[MD];
    struct blkhash_completion c;
    unsigned count;
    int fd;

    (void)state;
    random_fill(all, (size_t)SIZE * ROUNDS);
    assert_int_equal(blkhash_completion_fd(h, &fd), 0);
    for (int i = 0; i < ROUNDS; i++) {
        test_case("round %d", i);
        memcpy(buf, all + (size_t)i * SIZE, SIZE);
        assert_int_equal(blkhash_async_update(h, buf, SIZE, NULL), 0);
        do {
            assert_true(is_readable(fd, -1));
            assert_int_equal(blkhash_completions(h, &c, 1, &count), 0);
        } while (count == 0);
        memset(buf, 0xaa, SIZE);
    }
    assert_int_equal(blkhash_final(h, md, NULL), 0);
    oracle_checksum("sha256", 4096, all, (size_t)SIZE * ROUNDS, expected);
    assert_memory_equal(md, expected, MD);
    blkhash_free(h);
    free(all);
    free(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_updates),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_empty_update_completes),
        cmocka_unit_test(test_ends_are_copied),
        cmocka_unit_test(test_memory_after_completion),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
