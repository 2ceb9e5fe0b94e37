/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <pthread.h>
#include <string.h>

#include "lib/context-pool.h"

#define THREADS 8
#define TURNS 1000
#define MD 32

static struct context_pool pool;

/* A context is made if none is idle, and used again. */
static void test_contexts_are_reused(void **state)
{
    struct digest_ctx *a, *b, *again;

    (void)state;
    a = context_pool_get(&pool);
    b = context_pool_get(&pool);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    context_pool_put(&pool, a);
    again = context_pool_get(&pool);
    assert_ptr_equal(again, a);
    context_pool_put(&pool, NULL);
    context_pool_put(&pool, b);
    context_pool_put(&pool, again);
    assert_int_equal(pool.size, 2);
    assert_int_equal(pool.idle_count, 2);
}

/* Returns NULL if all went well. */
static void *hash_often(void *arg)
{
    unsigned char md[MD], expected[MD], c = *(char *)arg;

    oracle_digest("sha256", &c, 1, expected);
    for (int i = 0; i < TURNS; i++) {
        struct digest_ctx *ctx = context_pool_get(&pool);
        bool same =
            ctx && digest_start(ctx) == 0 && digest_update(ctx, &c, 1) == 0 &&
            digest_finish(ctx, md) == 0 && memcmp(md, expected, MD) == 0;

        context_pool_put(&pool, ctx);
        if (!same)
            return arg;
    }
    return NULL;
}

/* No two threads get the same context, and there are not more contexts than
 * threads. */
static void test_threads_share(void **state)
{
    pthread_t threads[THREADS];
    char names[THREADS];

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        names[i] = 'a' + i;
        assert_int_equal(
            pthread_create(&threads[i], NULL, hash_often, &names[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *bad;

        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    assert_in_range(pool.size, 1, THREADS);
    assert_int_equal(pool.idle_count, pool.size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contexts_are_reused),
        cmocka_unit_test(test_threads_share),
    };
    struct digest *digest;
    int failed;

    if (digest_open("sha256", &digest) != 0)
        return 1;
    context_pool_init(&pool, digest);
    failed = RUN_TESTS(tests, NULL, NULL);
    context_pool_destroy(&pool);
    digest_close(digest);
    return failed;
}
