/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/digest-runs.h"

#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "mpi/comm.h"

#define MD 4
#define BLOCKS 200

/* Messages stay here. */
void comm_send(int rank, unsigned char *data, size_t len)
{
    (void)rank;
    (void)len;
    free(data);
}

void comm_out_of_memory(void)
{
    abort();
}

/* A sink that writes the digest of each block; that of zeros is 0. */
struct flat {
    struct sink sink;
    unsigned char mds[BLOCKS * MD];
    size_t blocks;
    uint64_t most_zeros; /* in one call */
};

static int flat_zero(struct sink *sink, uint64_t blocks, struct error *error)
{
    struct flat *f = (struct flat *)sink;

    (void)error;
    if (blocks > f->most_zeros)
        f->most_zeros = blocks;
    if (blocks > BLOCKS)
        return 0;
    memset(f->mds + f->blocks * MD, 0, blocks * MD);
    f->blocks += blocks;
    return 0;
}

static int flat_digests(struct sink *sink, const unsigned char *mds,
                        size_t count, struct error *error)
{
    struct flat *f = (struct flat *)sink;

    (void)error;
    memcpy(f->mds + f->blocks * MD, mds, count * MD);
    f->blocks += count;
    return 0;
}

static struct flat flat(void)
{
    return (struct flat){
        .sink = { .zero = flat_zero, .digests = flat_digests },
    };
}

/* Read all runs of a message. Returns their blocks. */
static uint64_t give_all(const struct wire *w, struct flat *to, unsigned *calls)
{
    struct runs runs = { .rest = { w->data, w->len }, .md_size = MD };
    struct sink *sinks[] = { &to->sink };
    struct error error = ERROR_INIT;
    uint64_t all = 0, blocks;

    *calls = 0;
    do {
        assert_int_equal(
            runs_give(&runs, sinks, ARRAY_SIZE(sinks), &blocks, &error), 0);
        all += blocks;
        *calls += blocks > 0;
    } while (blocks > 0);
    return all;
}

/* What comes out is what went in, however it was divided. */
static void test_any_runs(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 100; n++) {
        struct wire w = { .data = NULL };
        struct flat expected = flat(), found = flat();
        struct error error = ERROR_INIT;
        struct runs_sink s;
        unsigned calls;

        test_case("case %u", n);
        runs_sink_init(&s, &w, MD, "disk");
        while (expected.blocks < BLOCKS - 20 && random_number() % 20) {
            unsigned count = random_number() % 10;
            unsigned char mds[10 * MD];

            for (size_t i = 0; i < sizeof(mds); i++)
                mds[i] = random_number();
            if (random_number() % 2) {
                s.sink.zero(&s.sink, count, &error);
                flat_zero(&expected.sink, count, &error);
            } else {
                s.sink.digests(&s.sink, mds, count, &error);
                flat_digests(&expected.sink, mds, count, &error);
            }
        }
        assert_int_equal(give_all(&w, &found, &calls), expected.blocks);
        assert_int_equal(found.blocks, expected.blocks);
        assert_memory_equal(found.mds, expected.mds, expected.blocks * MD);
        free(w.data);
    }
}

/* Neighbours are one run. */
static void test_neighbours(void **state)
{
    static const unsigned char mds[2 * MD];
    struct wire w = { .data = NULL };
    struct flat found = flat();
    struct error error = ERROR_INIT;
    struct runs_sink s;
    unsigned calls;

    (void)state;
    runs_sink_init(&s, &w, MD, "disk");
    for (unsigned i = 0; i < 3; i++)
        s.sink.zero(&s.sink, i, &error);
    for (unsigned i = 0; i < 3; i++)
        s.sink.digests(&s.sink, mds, i, &error);
    assert_int_equal(give_all(&w, &found, &calls), 6);
    assert_int_equal(calls, 2);
    assert_int_equal(w.len, 2 * 8 + 3 * MD);
    free(w.data);
}

/* A root takes many zeros in steps. */
static void test_many_zeros(void **state)
{
    struct wire w = { .data = NULL };
    struct flat found = flat();
    struct error error = ERROR_INIT;
    struct runs_sink s;
    unsigned calls;

    (void)state;
    runs_sink_init(&s, &w, MD, "disk");
    s.sink.zero(&s.sink, UINT64_C(10) << 18, &error);
    assert_int_equal(give_all(&w, &found, &calls), UINT64_C(10) << 18);
    assert_int_equal(calls, 10);
    assert_int_equal(found.most_zeros, 1 << 18);
    free(w.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_runs),
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_many_zeros),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
