/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What ranks of different speeds get to do. */
#include "test.h"

#include "mpi/pace.h"

#define LONGEST 1600
#define SHORTEST 160

/* Let a rank do slices of so many bytes, at this speed. */
static void run(struct pace *p, double *now, unsigned slices, double speed)
{
    for (unsigned i = 0; i < slices; i++) {
        pace_given(p, LONGEST, *now);
        *now += LONGEST / speed;
        pace_done(p, *now);
    }
}

static void test_unknown_rank(void **state)
{
    struct pace p = { .speed = 0 };

    (void)state;
    assert_int_equal(pace_slice(&p, 0, LONGEST, SHORTEST), SHORTEST);
    assert_int_equal(pace_slice(&p, 5, LONGEST, SHORTEST), SHORTEST);
}

static void test_speed(void **state)
{
    struct pace p = { .speed = 0 };
    double now = 100;

    (void)state;
    run(&p, &now, 1, 20);
    assert_int_equal(pace_slice(&p, 20, LONGEST, SHORTEST), LONGEST);
    assert_int_equal(pace_slice(&p, 80, LONGEST, SHORTEST), LONGEST / 4);
    /* Never so short that beginning it is what takes time. */
    assert_int_equal(pace_slice(&p, 2000000, LONGEST, SHORTEST), SHORTEST / 16);
}

/* The second thing that a rank has waits for the first. */
static void test_queue(void **state)
{
    struct pace p = { .speed = 0 };

    (void)state;
    pace_given(&p, 400, 0);
    pace_given(&p, 800, 1);
    pace_done(&p, 4);
    assert_int_equal(pace_slice(&p, 100, LONGEST, SHORTEST), LONGEST);
    pace_done(&p, 12);
    assert_int_equal(pace_slice(&p, 100, LONGEST, SHORTEST), LONGEST);
}

/* Time without work is nobody's fault. */
static void test_idle(void **state)
{
    struct pace p = { .speed = 0 };
    double now = 0;

    (void)state;
    run(&p, &now, 1, 100);
    now += 1000;
    run(&p, &now, 1, 100);
    assert_int_equal(pace_slice(&p, 100, LONGEST, SHORTEST), LONGEST);
}

static void test_change(void **state)
{
    struct pace p = { .speed = 0 };
    double now = 0;

    (void)state;
    run(&p, &now, 10, 100);
    run(&p, &now, 10, 10);
    assert_in_range(pace_slice(&p, 100, LONGEST, SHORTEST), LONGEST / 10,
                    LONGEST / 10 + 5);
}

/* Images that a rank hashes alone say nothing of its speed. */
static void test_other_work(void **state)
{
    struct pace p = { .speed = 0 };

    (void)state;
    pace_given(&p, 0, 0);
    pace_given(&p, 400, 1);
    pace_done(&p, 50);
    assert_int_equal(pace_slice(&p, 100, LONGEST, SHORTEST), SHORTEST);
    pace_done(&p, 54);
    assert_int_equal(pace_slice(&p, 100, LONGEST, SHORTEST), LONGEST);
}

/* A clock that did not move. */
static void test_no_time(void **state)
{
    struct pace p = { .speed = 0 };

    (void)state;
    pace_given(&p, 400, 7);
    pace_done(&p, 7);
    assert_int_equal(pace_slice(&p, 100, LONGEST, SHORTEST), SHORTEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_rank), cmocka_unit_test(test_speed),
        cmocka_unit_test(test_queue),        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_change),       cmocka_unit_test(test_other_work),
        cmocka_unit_test(test_no_time),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
