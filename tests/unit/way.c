/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/way.h"
#include "test.h"

#include <stdlib.h>

#include "common/units.h"

/* What a byte costs on some machine, by each way. */
struct machine {
    unsigned cost[CONTENTS][WAYS]; /* ns per KiB */
};

/* Hash so many slots of a content; returns those that were viewed. */
static unsigned run(struct ways *w, const struct machine *m,
                    enum content content, unsigned slots)
{
    unsigned views = 0;

    for (unsigned i = 0; i < slots; i++) {
        enum way way = ways_next(w);
        uint64_t time = 0;

        if (ways_measure(w)) {
            time = m->cost[content][way] * UINT64_C(1024);
            /* Now and then something comes in between. */
            if (random_number() % 3 == 0)
                time *= 1 + random_number() % 10;
        }
        ways_note(w, content, way, time, MiB);
        views += way == WAY_VIEW;
    }
    return views;
}

static void test_better_way_is_kept(void **state)
{
    struct machine viewer = { { { 200, 260 }, { 20, 50 } } };
    struct machine copier = { { { 700, 270 }, { 390, 50 } } };

    (void)state;
    for (enum content c = 0; c < CONTENTS; c++) {
        struct ways w;

        ways_init(&w);
        assert_true(run(&w, &viewer, c, 10000) > 9000);
        ways_init(&w);
        assert_true(run(&w, &copier, c, 10000) < 200);
    }
}

/* What a trial costs is bounded, however much worse the other way is. */
static void test_trials_cost_little(void **state)
{
    struct machine m = { { { 5000, 50 }, { 50, 50 } } };
    struct ways w;
    unsigned views;

    (void)state;
    ways_init(&w);
    views = run(&w, &m, CONTENT_DATA, 100000);
    assert_in_range(views, 8, 100);
    assert_true(views * 5000.0 < 0.05 * 100000 * 50);
}

/* The next file may be another case. */
static void test_change(void **state)
{
    struct machine viewer = { { { 200, 260 }, { 20, 50 } } };
    struct machine copier = { { { 700, 270 }, { 390, 50 } } };
    struct ways w;

    (void)state;
    ways_init(&w);
    run(&w, &viewer, CONTENT_DATA, 1000);
    run(&w, &copier, CONTENT_DATA, 1000);
    assert_true(run(&w, &copier, CONTENT_DATA, 1000) < 100);
    run(&w, &viewer, CONTENT_DATA, 1000);
    assert_true(run(&w, &viewer, CONTENT_DATA, 1000) > 900);
}

/* Zeros are cheap either way: that says nothing about data. */
static void test_contents_are_apart(void **state)
{
    struct machine m = { { { 200, 300 }, { 90, 50 } } };
    struct ways w;
    unsigned data = 0, zeros = 0;

    (void)state;
    ways_init(&w);
    for (int i = 0; i < 200; i++) {
        data += run(&w, &m, CONTENT_DATA, 25);
        zeros += run(&w, &m, CONTENT_ZERO, 25);
    }
    assert_true(data > 4000);
    assert_true(zeros < 1000);
}

static void test_forced(void **state)
{
    struct ways w;

    (void)state;
    setenv("DISKSUM_READS", "copy", 1);
    ways_init(&w);
    assert_false(ways_measure(&w));
    assert_int_equal(ways_next(&w), WAY_COPY);
    setenv("DISKSUM_READS", "view", 1);
    ways_init(&w);
    assert_false(ways_measure(&w));
    ways_note(&w, CONTENT_DATA, WAY_VIEW, 0, MiB);
    assert_int_equal(ways_next(&w), WAY_VIEW);
    unsetenv("DISKSUM_READS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_better_way_is_kept),
        cmocka_unit_test(test_trials_cost_little),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_contents_are_apart),
        cmocka_unit_test(test_forced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
