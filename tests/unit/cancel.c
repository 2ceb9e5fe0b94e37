/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A thread that is cancelled in a call of the library ends after the call, and
 * other threads are not affected.
 */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "blkhash.h"

#define MD 32
#define BLOCK 4096
#define DEPTH 2

static unsigned char content[1 << 20];

/* The work of a thread, and its results. */
struct task {
    void (*run)(struct task *task);
    struct blkhash *h;
    struct blkhash_leaf *leaf;
    unsigned char md[MD];
    bool finished;
};

static void *cancelled_thread(void *arg)
{
    struct task *task = arg;

    /* It is cancelled at the next cancellation point. */
    pthread_cancel(pthread_self());
    task->run(task);
    task->finished = true;
    pthread_testcancel();
    return NULL;
}

static void run_cancelled(struct task *task)
{
    pthread_t thread;
    void *result;

    assert_int_equal(pthread_create(&thread, NULL, cancelled_thread, task), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_true(task->finished);
    /* It was cancelled, but after the call. */
    assert_ptr_equal(result, PTHREAD_CANCELED);
}

static struct blkhash *new_stream(unsigned threads)
{
    struct blkhash_options *o = blkhash_options_new("sha256");
    struct blkhash *h;

    blkhash_options_set_block_size(o, BLOCK);
    blkhash_options_set_threads(o, threads);
    blkhash_options_set_queue_depth(o, DEPTH);
    h = blkhash_new_with_options(o);
    blkhash_options_free(o);
    return h;
}

static void make(struct task *task)
{
    blkhash_digests();
    task->h = new_stream(2);
    task->leaf = blkhash_leaf_new(BLOCK, "sha256");
}

/* Add more pieces than the depth, so that calls wait, with a descriptor that is
 * written and read. */
static void add(struct task *task)
{
    struct blkhash_completion done[DEPTH];
    unsigned count;
    int fd;

    blkhash_completion_fd(task->h, &fd);
    blkhash_async_update(task->h, content, sizeof(content), NULL);
    blkhash_update(task->h, content, sizeof(content));
    blkhash_completions(task->h, done, DEPTH, &count);
    for (size_t i = 0; i < sizeof(content); i += 1000)
        blkhash_update(task->h, content, 1000);
    blkhash_zero(task->h, sizeof(content));
}

static void finish(struct task *task)
{
    blkhash_final(task->h, task->md, NULL);
}

static void free_all(struct task *task)
{
    blkhash_free(task->h);
    blkhash_leaf_free(task->leaf);
}

static void expect(unsigned char *md)
{
    struct blkhash *h = blkhash_new(BLOCK, "sha256");

    blkhash_update(h, content, sizeof(content));
    blkhash_update(h, content, sizeof(content));
    for (size_t i = 0; i < sizeof(content); i += 1000)
        blkhash_update(h, content, 1000);
    blkhash_zero(h, sizeof(content));
    assert_int_equal(blkhash_final(h, md, NULL), 0);
    blkhash_free(h);
}

static void test_each_call(void **state)
{
    unsigned char expected[MD];

    (void)state;
    random_fill(content, sizeof(content));
    expect(expected);
    for (unsigned threads = 1; threads <= 3; threads++) {
        struct task task = { .run = make };

        test_case("threads %u", threads);
        run_cancelled(&task);
        assert_non_null(task.h);
        assert_non_null(task.leaf);
        blkhash_free(task.h);

        task.h = new_stream(threads);
        task.run = add;
        run_cancelled(&task);
        task.run = finish;
        run_cancelled(&task);
        assert_memory_equal(task.md, expected, MD);
        task.run = free_all;
        run_cancelled(&task);
    }
}

static void add_and_leave(struct task *task)
{
    blkhash_async_update(task->h, content, sizeof(content), NULL);
    blkhash_update(task->h, content, sizeof(content));
}

/* After a thread was cancelled, its stream can be used and freed. */
static void test_after_a_cancelled_thread(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads++) {
        struct task task = { .run = add_and_leave, .h = new_stream(threads) };
        unsigned char md[MD];

        test_case("threads %u", threads);
        run_cancelled(&task);
        assert_int_equal(blkhash_final(task.h, md, NULL), 0);
        blkhash_free(task.h);

        task.h = new_stream(threads);
        run_cancelled(&task);
        blkhash_free(task.h);
    }
}

/* Calls keep the cancellation state of the caller. */
static void test_state_comes_back(void **state)
{
    struct blkhash *h;
    int before;

    (void)state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    h = new_stream(2);
    assert_int_equal(blkhash_update(h, "hello", 5), 0);
    assert_int_equal(blkhash_update(h, NULL, 1), EINVAL);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
    assert_int_equal(before, PTHREAD_CANCEL_DISABLE);
    blkhash_free(h);
    assert_null(blkhash_new(0, "sha256"));
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
    assert_int_equal(before, PTHREAD_CANCEL_ENABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call),
        cmocka_unit_test(test_after_a_cancelled_thread),
        cmocka_unit_test(test_state_comes_back),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
