/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/way.h"
#include "test.h"

#include <stdlib.h>

#include "common/units.h"

/* What a byte costs on some machine, by each way. */
struct machine {
    unsigned data[WAYS], zeros[WAYS]; /* ns per KiB */
};

static const struct machine viewer = { { 200, 260 }, { 20, 50 } };
static const struct machine copier = { { 700, 270 }, { 390, 50 } };

/* Hash so many slots in which a part, in percent, is zeros; returns those that
 * were viewed. */
static unsigned run(struct ways *w, const struct machine *m, unsigned percent,
                    unsigned slots)
{
    unsigned views = 0;

    for (unsigned i = 0; i < slots; i++) {
        bool measure;
        enum way way = ways_next(w, MiB, &measure);
        size_t zeros = MiB / 100 * percent;
        uint64_t time = 0;

        if (measure) {
            time = (m->data[way] * (MiB - zeros) + m->zeros[way] * zeros) / KiB;
            /* Now and then something comes in between. */
            if (random_number() % 3 == 0)
                time *= 1 + random_number() % 10;
        }
        ways_note(w, way, time, MiB, zeros);
        views += way == WAY_VIEW;
    }
    return views;
}

static void test_better_way_is_kept(void **state)
{
    (void)state;
    for (unsigned percent = 0; percent <= 100; percent += 5) {
        struct ways w;

        test_case("%u %% zeros", percent);
        ways_init(&w);
        assert_true(run(&w, &viewer, percent, 10000) > 9000);
        ways_free(&w);
        ways_init(&w);
        assert_true(run(&w, &copier, percent, 10000) < 200);
        ways_free(&w);
    }
}

/* What a trial costs is bounded, however much worse the other way is. */
static void test_trials_cost_little(void **state)
{
    const struct machine m = { { 5000, 50 }, { 50, 50 } };
    struct ways w;
    unsigned views;

    (void)state;
    ways_init(&w);
    views = run(&w, &m, 0, 100000);
    assert_in_range(views, 4, 100);
    assert_true(views * 5000.0 < 0.05 * 100000 * 50);
    ways_free(&w);
}

/* The next file may be another case. */
static void test_change(void **state)
{
    struct ways w;

    (void)state;
    ways_init(&w);
    run(&w, &viewer, 0, 1000);
    run(&w, &copier, 0, 1000);
    assert_true(run(&w, &copier, 0, 1000) < 100);
    run(&w, &viewer, 0, 1000);
    assert_true(run(&w, &viewer, 0, 1000) > 900);
    ways_free(&w);
}

/* Data and zeros in turn: each is compared with its like. */
static void test_contents_take_turns(void **state)
{
    struct ways w;
    unsigned views = 0;

    (void)state;
    for (int length = 1; length < 9; length++) {
        test_case("%d slots in turn", length);
        views = 0;
        ways_init(&w);
        for (int i = 0; i < 200; i++) {
            views += run(&w, &copier, 0, length);
            views += run(&w, &copier, 100, length);
        }
        assert_true(views * 5 < 400u * length);
        ways_free(&w);
    }
}

/* Many tell nothing: they are compressed. */
static void test_not_measured(void **state)
{
    struct ways w;
    bool measure;

    (void)state;
    ways_init(&w);
    for (int i = 0; i < 1000; i++)
        ways_next(&w, MiB, &measure);
    assert_true(measure);
    assert_true(run(&w, &copier, 0, 1000) < 100);
    ways_free(&w);
}

/* A window costs more than to copy so little. */
static void test_small_is_copied(void **state)
{
    struct ways w;
    bool measure = true;

    (void)state;
    ways_init(&w);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(ways_next(&w, 512, &measure), WAY_COPY);
        assert_false(measure);
    }
    assert_true(run(&w, &viewer, 0, 10000) > 9000);
    assert_int_equal(ways_next(&w, 512, &measure), WAY_COPY);
    ways_free(&w);
}

static void test_forced(void **state)
{
    static const char *const names[] = { "view", "copy" };

    (void)state;
    for (enum way way = 0; way < WAYS; way++) {
        struct ways w;
        bool measure;

        test_case("%s", names[way]);
        setenv("DISKSUM_READS", names[way], 1);
        ways_init(&w);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(ways_next(&w, MiB, &measure), way);
            assert_false(measure);
            ways_note(&w, way, 0, MiB, 0);
        }
        ways_free(&w);
    }
    unsetenv("DISKSUM_READS");
}

static void test_one_for_all(void **state)
{
    (void)state;
    assert_ptr_equal(ways_here(), ways_here());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_better_way_is_kept),
        cmocka_unit_test(test_trials_cost_little),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_contents_take_turns),
        cmocka_unit_test(test_not_measured),
        cmocka_unit_test(test_small_is_copied),
        cmocka_unit_test(test_forced),
        cmocka_unit_test(test_one_for_all),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
