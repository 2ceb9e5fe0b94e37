/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order in which the engine's reads are finished: each possible one for
 * some slots, with each set of slots that cannot be read. The checksum is
 * always right, and of several faults the first on the disk is reported.
 */
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "memory_reader.h"

#define SLOT 4096
#define MAX_SLOTS 64

static unsigned char bytes[MAX_SLOTS * SLOT];
static bool bad[MAX_SLOTS];

/* --- what is run -------------------------------------------------------- */

static int hash(struct memory_reader *m, const struct engine_options *o,
                struct engine_result *result, struct error *error)
{
    struct engine_input input = { .name = "memory" };
    struct pollfd pfd = { .events = POLLIN };
    struct engine *e;
    int err;

    alarm(120); /* kills a test that hangs */
    assert_int_equal(image_open_reader(
                         &m->reader, &(struct image_options){ .format = "raw" },
                         &input.image, error),
                     0);
    assert_int_equal(engine_new(o, &input, &e, error), 0);
    assert_int_equal(engine_start(e, error), 0);
    pfd.fd = engine_done_fd(e);
    assert_int_equal(poll(&pfd, 1, -1), 1);
    err = engine_finish(e, result, error);
    engine_free(e);
    image_close(input.image);
    alarm(0);
    return err;
}

/* One slot for each block. plain: another checksum of all bytes, too, which
 * keeps the buffers of slots until it is their turn. */
static struct engine_options options_for(unsigned threads, unsigned depth,
                                         bool plain)
{
    struct engine_options o;

    engine_default_options(&o);
    o.threads = threads;
    o.queue_depth = depth;
    o.read_size = SLOT;
    o.hashes[0].block_size = SLOT;
    o.hash_count = plain ? 2 : 1;
    o.hashes[1].digest = "sha256";
    o.hashes[1].block_size = 0;
    return o;
}

static void init(struct memory_reader *m, unsigned slots)
{
    memory_reader_init(m, bytes, (uint64_t)slots * SLOT);
    m->unit = SLOT;
    m->bad = bad;
}

/* Run once, and compare with what must come of it. */
static void check(struct memory_reader *m, const struct engine_options *o)
{
    unsigned slots = m->reader.size / SLOT, first = 0;
    unsigned char expected[BLKHASH_MAX_MD_SIZE];
    struct error error = ERROR_INIT;
    struct engine_result r;
    char message[100];

    while (first < slots && !bad[first])
        first++;
    if (first < slots) {
        snprintf(message, sizeof(message),
                 "memory: read error at offset %u: Input/output error",
                 first * SLOT);
        assert_int_equal(hash(m, o, &r, &error), EIO);
        assert_string_equal(error_message(&error), message);
        error_clear(&error);
        return;
    }
    assert_int_equal(hash(m, o, &r, &error), 0);
    oracle_checksum("sha256", SLOT, bytes, m->reader.size, expected);
    assert_memory_equal(r.sums[0].md, expected, 32);
    if (o->hash_count > 1) {
        oracle_digest("sha256", bytes, m->reader.size, expected);
        assert_memory_equal(r.sums[1].md, expected, 32);
    }
}

static void set_bad(unsigned bits)
{
    for (unsigned i = 0; i < MAX_SLOTS; i++)
        bad[i] = i < 32 && bits >> i & 1;
}

/* --- one worker --------------------------------------------------------- */

/* The choices of a run, and how many there were at each place: the next run
 * makes the last choice that can be made otherwise. */
static struct {
    size_t choice[MAX_SLOTS];
    size_t count[MAX_SLOTS];
    size_t at;
} script;

static size_t choose_by_script(struct memory_reader *m, size_t count)
{
    (void)m;
    assert_true(script.at < MAX_SLOTS);
    script.count[script.at] = count;
    assert_true(script.choice[script.at] < count);
    return script.choice[script.at++];
}

static bool next_script(void)
{
    size_t i = script.at;

    script.at = 0;
    while (i > 0 && script.choice[i - 1] + 1 == script.count[i - 1])
        i--;
    if (i == 0)
        return false;
    script.choice[i - 1]++;
    memset(script.choice + i, 0, (MAX_SLOTS - i) * sizeof(script.choice[0]));
    return true;
}

static unsigned run_scripts(unsigned slots, unsigned depth, bool plain)
{
    const struct engine_options o = options_for(1, depth, plain);
    unsigned runs = 0;

    memset(&script, 0, sizeof(script));
    do {
        struct memory_reader m;

        init(&m, slots);
        m.choose = choose_by_script;
        check(&m, &o);
        runs++;
    } while (next_script());
    return runs;
}

/* In how many orders the slots can come back that are not done: a slot is in
 * flight when all those are committed whose place in the ring it might need. */
static unsigned count_orders(unsigned done, unsigned slots, unsigned depth)
{
    unsigned committed = 0, count = 0;

    if (done == (1U << slots) - 1)
        return 1;
    while (done >> committed & 1)
        committed++;
    for (unsigned i = committed; i < slots && i < committed + depth; i++) {
        if (!(done >> i & 1))
            count += count_orders(done | 1U << i, slots, depth);
    }
    return count;
}

static void test_all_orders(void **state)
{
    enum { SLOTS = 5 };

    (void)state;
    for (unsigned depth = 1; depth <= SLOTS; depth++) {
        for (unsigned bits = 0; bits < 1U << SLOTS; bits++) {
            unsigned runs;

            set_bad(bits);
            test_case("depth %u, bad slots %#x", depth, bits);
            runs = run_scripts(SLOTS, depth, bits % 2);
            if (bits == 0)
                assert_int_equal(runs, count_orders(0, SLOTS, depth));
        }
    }
}

/* --- several workers ---------------------------------------------------- */

/* Each worker has one slot in flight. When all have one, they come back in a
 * given order; so do the next ones. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned workers;
    unsigned order[4];
    unsigned arrived; /* slots that were in flight */
    unsigned turn;    /* slots that came back */
    unsigned last;    /* round: after a fault, later ones may not be complete */
} turns = { .lock = PTHREAD_MUTEX_INITIALIZER,
            .changed = PTHREAD_COND_INITIALIZER };

/* The slot whose turn it is. */
static unsigned next_slot(void)
{
    unsigned round = turns.turn / turns.workers;

    return round * turns.workers + turns.order[turns.turn % turns.workers];
}

static void wait_for_turn(struct memory_reader *m, const struct read *read)
{
    unsigned slot = read->offset / SLOT;
    unsigned round = slot / turns.workers;

    (void)m;
    pthread_mutex_lock(&turns.lock);
    turns.arrived++;
    pthread_cond_broadcast(&turns.changed);
    while (round <= turns.last &&
           (next_slot() != slot || turns.arrived < (round + 1) * turns.workers))
        pthread_cond_wait(&turns.changed, &turns.lock);
    if (round <= turns.last)
        turns.turn++;
    if (bad[slot] && round < turns.last)
        turns.last = round;
    pthread_cond_broadcast(&turns.changed);
    pthread_mutex_unlock(&turns.lock);
}

static void swap(unsigned *a, unsigned *b)
{
    unsigned x = *a;

    *a = *b;
    *b = x;
}

/* The next permutation in lexicographic order. */
static bool next_order(unsigned *order, unsigned n)
{
    unsigned i = n - 1, j = n - 1;

    while (i > 0 && order[i - 1] > order[i])
        i--;
    if (i == 0)
        return false;
    while (order[j] < order[i - 1])
        j--;
    swap(&order[i - 1], &order[j]);
    for (j = n - 1; i < j; i++, j--)
        swap(&order[i], &order[j]);
    return true;
}

static void run_turns(unsigned slots, bool plain)
{
    const struct engine_options o = options_for(turns.workers, 1, plain);
    struct memory_reader m;

    turns.arrived = turns.turn = 0;
    turns.last = UINT_MAX;
    init(&m, slots);
    m.before = wait_for_turn;
    check(&m, &o);
}

static void test_all_orders_of_workers(void **state)
{
    (void)state;
    for (unsigned workers = 2; workers <= 4; workers++) {
        unsigned slots = workers < 4 ? 2 * workers : workers;

        turns.workers = workers;
        for (unsigned i = 0; i < workers; i++)
            turns.order[i] = i;
        do {
            for (unsigned bits = 0; bits < 1U << slots; bits++) {
                set_bad(bits);
                test_case("%u workers, first %u, then %u, bad slots %#x",
                          workers, turns.order[0], turns.order[1], bits);
                run_turns(slots, bits % 2);
            }
        } while (next_order(turns.order, workers));
    }
}

/* --- many --------------------------------------------------------------- */

/* Each queue by itself, so without a generator that threads share. */
static uint32_t seed;

static size_t choose_any(struct memory_reader *m, size_t count)
{
    static __thread uint32_t x;

    (void)m;
    x = (x ^ seed) * 2654435761U + 1;
    return (x >> 16) % count;
}

static void test_random_orders(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++) {
        struct engine_options o = options_for(1 + random_number() % 4,
                                              1 + random_number() % 16, i % 2);
        struct memory_reader m;

        set_bad(i % 3 ? random_number() & random_number() & random_number()
                      : 0);
        seed = random_number();
        test_case("run %d, threads %u, depth %u", i, o.threads, o.queue_depth);
        init(&m, MAX_SLOTS);
        m.choose = choose_any;
        check(&m, &o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_orders),
        cmocka_unit_test(test_all_orders_of_workers),
        cmocka_unit_test(test_random_orders),
    };

    random_fill(bytes, sizeof(bytes));
    return RUN_TESTS(tests, NULL, NULL);
}
