/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <poll.h>

#include "lib/updates.h"

#define MAX 3

static bool readable(int fd)
{
    struct pollfd pfd = { .fd = fd, .events = POLLIN };

    return poll(&pfd, 1, 0) == 1;
}

/* An update counts until its completion is fetched. */
static void test_places(void **state)
{
    struct updates u;
    struct update *updates[MAX];
    struct blkhash_completion done[MAX];
    char data[MAX];

    (void)state;
    assert_int_equal(updates_init(&u, MAX), 0);
    for (int round = 0; round < 5; round++) {
        test_case("round %d", round);
        for (int i = 0; i < MAX; i++) {
            updates[i] = updates_begin(&u, &data[i]);
            assert_non_null(updates[i]);
        }
        assert_null(updates_begin(&u, NULL));
        updates_complete(&u, updates[1], 0);
        assert_null(updates_begin(&u, NULL));
        assert_int_equal(updates_fetch(&u, done, MAX), 1);
        assert_ptr_equal(done[0].user_data, &data[1]);
        updates[1] = updates_begin(&u, &data[1]);
        assert_non_null(updates[1]);

        /* They are fetched in the order in which they were completed. */
        for (int i = MAX; i-- > 0;)
            updates_complete(&u, updates[i], i);
        assert_int_equal(updates_fetch(&u, done, 0), 0);
        assert_int_equal(updates_fetch(&u, done, MAX - 1), MAX - 1);
        assert_int_equal(updates_fetch(&u, done + MAX - 1, MAX), 1);
        for (int i = 0; i < MAX; i++) {
            assert_ptr_equal(done[i].user_data, &data[MAX - 1 - i]);
            assert_int_equal(done[i].error, MAX - 1 - i);
        }
    }
    updates_destroy(&u);
}

/* The descriptor is readable while there is a completion, also if that is
 * older. */
static void test_descriptor(void **state)
{
    struct updates u;
    struct update *updates[MAX];
    struct blkhash_completion done[MAX];
    int fd, same;

    (void)state;
    assert_int_equal(updates_init(&u, MAX), 0);
    for (int i = 0; i < MAX; i++)
        updates[i] = updates_begin(&u, NULL);
    updates_complete(&u, updates[0], 0);
    assert_int_equal(updates_fd(&u, &fd), 0);
    assert_int_equal(updates_fd(&u, &same), 0);
    assert_int_equal(fd, same);
    assert_true(readable(fd));
    assert_int_equal(updates_fetch(&u, done, 1), 1);
    assert_false(readable(fd));

    updates_complete(&u, updates[1], 0);
    updates_complete(&u, updates[2], 0);
    assert_int_equal(updates_fetch(&u, done, 1), 1);
    assert_true(readable(fd));
    assert_int_equal(updates_fetch(&u, done, 1), 1);
    assert_false(readable(fd));
    updates_destroy(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_descriptor),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
