/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/read-method.h"
#include "test.h"

#include <stdlib.h>

#include "common/units.h"

/* The cost of a byte on a machine, by each method. */
struct machine {
    unsigned data[READ_METHODS], zeros[READ_METHODS]; /* ns per KiB */
};

static const struct machine mmap_wins = { { 200, 260 }, { 20, 50 } };
static const struct machine copy_wins = { { 700, 270 }, { 390, 50 } };

/* Hash slots of which a part, in percent, is zeros. Returns how many were
 * mapped. */
static unsigned run(struct read_choice *c, const struct machine *m,
                    unsigned percent, unsigned slots)
{
    unsigned mapped = 0;

    for (unsigned i = 0; i < slots; i++) {
        bool measure;
        enum read_method method = read_choice_next(c, MiB, &measure);
        size_t zeros = MiB / 100 * percent;
        uint64_t time = 0;

        if (measure) {
            time =
                (m->data[method] * (MiB - zeros) + m->zeros[method] * zeros) /
                KiB;
            /* Some slots are disturbed. */
            if (random_number() % 3 == 0)
                time *= 1 + random_number() % 10;
        }
        read_choice_note(c, method, time, MiB, zeros);
        mapped += method == READ_METHOD_MMAP;
    }
    return mapped;
}

static void test_faster_method_is_kept(void **state)
{
    (void)state;
    for (unsigned percent = 0; percent <= 100; percent += 5) {
        struct read_choice c;

        test_case("%u %% zeros", percent);
        read_choice_init(&c);
        assert_true(run(&c, &mmap_wins, percent, 10000) > 9000);
        read_choice_free(&c);
        read_choice_init(&c);
        assert_true(run(&c, &copy_wins, percent, 10000) < 200);
        read_choice_free(&c);
    }
}

/* The cost of trials is bounded, however slow the other method is. */
static void test_trials_cost_little(void **state)
{
    const struct machine m = { { 5000, 50 }, { 50, 50 } };
    struct read_choice c;
    unsigned mapped;

    (void)state;
    read_choice_init(&c);
    mapped = run(&c, &m, 0, 100000);
    assert_in_range(mapped, 4, 100);
    assert_true(mapped * 5000.0 < 0.05 * 100000 * 50);
    read_choice_free(&c);
}

/* The choice follows a change, as from one file to the next. */
static void test_change(void **state)
{
    struct read_choice c;

    (void)state;
    read_choice_init(&c);
    run(&c, &mmap_wins, 0, 1000);
    run(&c, &copy_wins, 0, 1000);
    assert_true(run(&c, &copy_wins, 0, 1000) < 100);
    run(&c, &mmap_wins, 0, 1000);
    assert_true(run(&c, &mmap_wins, 0, 1000) > 900);
    read_choice_free(&c);
}

/* Where data and zeros alternate, only slots of the same content are compared.
 */
static void test_contents_take_turns(void **state)
{
    struct read_choice c;
    unsigned mapped = 0;

    (void)state;
    for (int length = 1; length < 9; length++) {
        test_case("%d slots in turn", length);
        mapped = 0;
        read_choice_init(&c);
        for (int i = 0; i < 200; i++) {
            mapped += run(&c, &copy_wins, 0, length);
            mapped += run(&c, &copy_wins, 100, length);
        }
        assert_true(mapped * 5 < 400u * length);
        read_choice_free(&c);
    }
}

/* Slots of compressed clusters are not measured. */
static void test_not_measured(void **state)
{
    struct read_choice c;
    bool measure;

    (void)state;
    read_choice_init(&c);
    for (int i = 0; i < 1000; i++)
        read_choice_next(&c, MiB, &measure);
    assert_true(measure);
    assert_true(run(&c, &copy_wins, 0, 1000) < 100);
    read_choice_free(&c);
}

/* To copy a small slot costs less than a window. */
static void test_small_is_copied(void **state)
{
    struct read_choice c;
    bool measure = true;

    (void)state;
    read_choice_init(&c);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(read_choice_next(&c, 512, &measure), READ_METHOD_COPY);
        assert_false(measure);
    }
    assert_true(run(&c, &mmap_wins, 0, 10000) > 9000);
    assert_int_equal(read_choice_next(&c, 512, &measure), READ_METHOD_COPY);
    read_choice_free(&c);
}

static void test_forced(void **state)
{
    static const char *const names[] = { "mmap", "copy" };

    (void)state;
    for (enum read_method method = 0; method < READ_METHODS; method++) {
        struct read_choice c;
        bool measure;

        test_case("%s", names[method]);
        setenv("DISKSUM_READS", names[method], 1);
        read_choice_init(&c);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(read_choice_next(&c, MiB, &measure), method);
            assert_false(measure);
            read_choice_note(&c, method, 0, MiB, 0);
        }
        read_choice_free(&c);
    }
    unsetenv("DISKSUM_READS");
}

/* The figures for -v are those of the best slots of the last trial. */
static void test_figures(void **state)
{
    struct read_choice c;
    struct read_method_figures f;

    (void)state;
    read_choice_init(&c);
    read_choice_figures(&c, &f);
    assert_false(f.measured || f.forced);
    run(&c, &copy_wins, 100, 1000);
    read_choice_figures(&c, &f);
    assert_true(f.measured);
    assert_int_equal(f.method, READ_METHOD_COPY);
    assert_int_equal(f.content, CONTENT_ZEROS);
    assert_true(f.cost[READ_METHOD_MMAP] > 0.3);
    assert_true(f.cost[READ_METHOD_COPY] < 0.06);
    assert_int_equal(f.slots[READ_METHOD_MMAP] + f.slots[READ_METHOD_COPY],
                     1000);
    assert_true(f.slots[READ_METHOD_COPY] > 900);
    read_choice_free(&c);
}

static void test_one_for_all(void **state)
{
    (void)state;
    assert_ptr_equal(read_choice_shared(), read_choice_shared());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faster_method_is_kept),
        cmocka_unit_test(test_trials_cost_little),
        cmocka_unit_test(test_change),
        cmocka_unit_test(test_contents_take_turns),
        cmocka_unit_test(test_not_measured),
        cmocka_unit_test(test_small_is_copied),
        cmocka_unit_test(test_forced),
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_one_for_all),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
