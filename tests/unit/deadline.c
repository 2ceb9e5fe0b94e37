/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/deadline.h"

static void test_left(void **state)
{
    (void)state;
    assert_int_equal(deadline_left(deadline_in(-1)), -1);
    assert_int_equal(deadline_left(deadline_in(0)), 0);
    assert_int_equal(deadline_left(clock_ms() - 1000), 0);
    assert_in_range(deadline_left(deadline_in(60000)), 1, 60000);
    assert_int_equal(deadline_left(deadline_in(INT64_C(1) << 40)), INT_MAX);
}

static volatile sig_atomic_t ticks;

static void tick(int number)
{
    (void)number;
    ticks = ticks + 1;
}

/* A signal now and then does not end the wait, nor make it longer. */
static void test_signals(void **state)
{
    const struct itimerval often = { { 0, 5000 }, { 0, 5000 } };
    const struct itimerval never = { { 0, 0 }, { 0, 0 } };
    struct sigaction action = { .sa_handler = tick };
    int64_t start = clock_ms();
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    assert_int_equal(deadline_poll(fds[0], POLLIN, deadline_in(100)),
                     ETIMEDOUT);
    setitimer(ITIMER_REAL, &never, NULL);
    assert_true(clock_ms() - start >= 99);
    assert_true(ticks > 0);

    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(deadline_poll(fds[0], POLLIN, DEADLINE_NEVER), 0);
    assert_int_equal(deadline_poll(fds[0], POLLIN, deadline_in(60000)), 0);
    /* After the deadline nothing is ready. */
    assert_int_equal(deadline_poll(fds[0], POLLIN, 0), ETIMEDOUT);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_left),
        cmocka_unit_test(test_signals),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
