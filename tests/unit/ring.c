/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lanes of a ring. Tests that would hang are killed by an alarm. */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "engine/ring.h"

#define SLOTS 8
#define LANES 3

/* A source of slots of one sector. */
struct sectors {
    struct source source;
    unsigned left;
};

static int next_sector(struct source *source, struct slot *slot,
                       struct job *job, struct error *error)
{
    struct sectors *s = (struct sectors *)source;

    (void)job;
    (void)error;
    if (s->left == 0)
        return 0;
    s->left--;
    slot->length = SECTOR_SIZE;
    return 0;
}

/* What a lane has taken, and by whom. */
struct record {
    struct lane lane;
    uint64_t taken;
    uint64_t fail_at;
    pthread_t by;
    sem_t *wait_for; /* before it takes a slot; NULL: nothing */
    sem_t *post;     /* when it begins to; NULL: nothing */
};

static int record_take(struct lane *lane, const struct slot *slot,
                       struct error *error)
{
    struct record *r = (struct record *)lane;

    assert_true(slot->number == r->taken);
    r->by = pthread_self();
    if (r->post)
        sem_post(r->post);
    while (r->wait_for && sem_wait(r->wait_for) != 0)
        continue;
    if (r->taken == r->fail_at)
        return error_set(error, EIO, "slot %d", (int)r->taken);
    r->taken++;
    return 0;
}

static struct sectors sectors;
static struct record lanes[LANES];
static struct hashes hashes;
static struct job jobs[SLOTS];
static struct ring ring;

static void begin(unsigned slots, unsigned count, bool takes_bytes)
{
    alarm(60);
    sectors = (struct sectors){
        .source = { .next = next_sector, .name = "sectors" },
        .left = slots,
    };
    hashes = (struct hashes){ .count = count, .takes_bytes = takes_bytes };
    for (unsigned i = 0; i < count; i++) {
        lanes[i] = (struct record){
            .lane = { .take = record_take, .takes_bytes = takes_bytes },
            .fail_at = UINT64_MAX,
        };
        hashes.lanes[i] = &lanes[i].lane;
    }
    memset(jobs, 0, sizeof(jobs));
    assert_int_equal(ring_init(&ring, &sectors.source, &hashes, SLOTS, 0), 0);
}

/* Plan all slots that there is room for. */
static unsigned plan_all(void)
{
    unsigned count = 0;

    while (ring_plan(&ring, &jobs[ring.planned % SLOTS], false) == RING_PLANNED)
        count++;
    return count;
}

static void end(void)
{
    for (unsigned i = 0; i < hashes.count; i++)
        assert_false(lanes[i].lane.busy);
    assert_null(ring.waiters);
    ring_free(&ring);
    alarm(0);
}

/* Whatever the order in which slots are finished, each lane takes them in
 * theirs. */
static void test_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        unsigned total = random_number() % 100, done = 0;

        test_case("run %u, slots %u", i, total);
        begin(total, 1 + random_number() % LANES, random_number() % 2);
        while (done < total) {
            struct job *planned[SLOTS] = { NULL };
            unsigned count = 0;

            plan_all();
            for (uint64_t n = ring.committed; n < ring.planned; n++) {
                if (!ring.slots[n % SLOTS].hashed)
                    planned[count++] = &jobs[n % SLOTS];
            }
            assert_true(count > 0);
            ring_commit(&ring, planned[random_number() % count]->slot);
            done++;
        }
        assert_int_equal(plan_all(), 0);
        assert_true(ring_committed(&ring) == total);
        assert_int_equal(ring.done, total * SECTOR_SIZE);
        for (unsigned k = 0; k < hashes.count; k++)
            assert_true(lanes[k].taken == total);
        end();
    }
}

/* --- a second worker ------------------------------------------------------ */

static void *wait_for_first(void *arg)
{
    (void)arg;
    return ring_wait(&ring, 0) ? &ring : NULL;
}

static void *drain(void *arg)
{
    (void)arg;
    ring_drain(&ring);
    return NULL;
}

/* Start a worker, and wait until it waits. */
static pthread_t start_worker(void *(*work)(void *))
{
    bool waits = false;
    pthread_t id;

    assert_int_equal(pthread_create(&id, NULL, work, NULL), 0);
    while (!waits) {
        sched_yield();
        pthread_mutex_lock(&ring.lock);
        waits = ring.waiters != NULL;
        pthread_mutex_unlock(&ring.lock);
    }
    return id;
}

/* A lane that takes bytes goes to a worker that has nothing to do. The other
 * one goes on at once, while the lane is at work. */
static void test_idle_worker_gets_lane(void **state)
{
    pthread_t id;
    void *result;
    sem_t go;

    (void)state;
    begin(2, 1, true);
    sem_init(&go, 0, 0);
    lanes[0].wait_for = &go;
    plan_all();
    id = start_worker(wait_for_first);
    ring_commit(&ring, jobs[0].slot);
    ring_commit(&ring, jobs[1].slot);
    sem_post(&go);
    sem_post(&go);
    pthread_join(id, &result);
    assert_ptr_equal(result, &ring);
    assert_true(pthread_equal(lanes[0].by, id));
    assert_true(ring_committed(&ring) == 2);
    sem_destroy(&go);
    end();
}

/* Other lanes take no time, but to wake a worker does. */
static void test_short_lane_stays(void **state)
{
    pthread_t id;

    (void)state;
    begin(1, LANES, false);
    plan_all();
    id = start_worker(wait_for_first);
    ring_commit(&ring, jobs[0].slot);
    assert_true(ring_committed(&ring) == 1);
    for (int i = 0; i < LANES; i++)
        assert_true(pthread_equal(lanes[i].by, pthread_self()));
    pthread_join(id, NULL);
    end();
}

/* Two lanes are at work at the same time: each waits for the other one, be the
 * second worker idle before or after the slot is finished. */
static void test_lanes_at_once(void **state)
{
    (void)state;
    for (int early = 0; early < 2; early++) {
        sem_t a, b;
        pthread_t id;

        test_case("early %d", early);
        begin(1, 2, true);
        sem_init(&a, 0, 0);
        sem_init(&b, 0, 0);
        lanes[0].post = lanes[1].wait_for = &a;
        lanes[1].post = lanes[0].wait_for = &b;
        plan_all();
        if (early)
            id = start_worker(wait_for_first);
        else
            assert_int_equal(pthread_create(&id, NULL, wait_for_first, NULL),
                             0);
        ring_commit(&ring, jobs[0].slot);
        pthread_join(id, NULL);
        assert_false(pthread_equal(lanes[0].by, lanes[1].by));
        assert_true(ring_committed(&ring) == 1);
        sem_destroy(&a);
        sem_destroy(&b);
        end();
    }
}

/* A worker that has nothing left to plan helps until the end. */
static void test_drain(void **state)
{
    pthread_t id;

    (void)state;
    begin(3, LANES, true);
    plan_all();
    ring_commit(&ring, jobs[2].slot);
    ring_commit(&ring, jobs[0].slot);
    id = start_worker(drain);
    ring_commit(&ring, jobs[1].slot);
    pthread_join(id, NULL);
    assert_true(ring_committed(&ring) == 3);
    end();
}

/* An error of a lane stops the others, and wakes who waits. */
static void test_errors(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct error error = ERROR_INIT;
        pthread_t id;
        void *result;

        test_case("late %d", late);
        begin(6, 2, true);
        lanes[late].fail_at = 3;
        plan_all();
        for (int i = 0; i < 3; i++)
            ring_commit(&ring, jobs[i].slot);
        id = start_worker(drain);
        ring_commit(&ring, jobs[4].slot);
        ring_commit(&ring, jobs[3].slot);
        pthread_join(id, NULL);
        assert_int_equal(pthread_create(&id, NULL, wait_for_first, NULL), 0);
        pthread_join(id, &result);
        assert_null(result);
        assert_true(ring.stopped && ring.error_slot == 3);
        assert_string_equal(error_message(&ring.error), "slot 3");
        assert_true(lanes[late].taken == 3);
        assert_in_range(lanes[!late].taken, 3, 5);

        /* A fault of an earlier slot counts, that of a later one does not. */
        error_set(&error, EIO, "earlier");
        ring_fail(&ring, jobs[2].slot, &error);
        error_set(&error, EIO, "later");
        ring_fail(&ring, jobs[5].slot, &error);
        assert_string_equal(error_message(&ring.error), "earlier");
        assert_int_equal(ring_plan(&ring, &jobs[7], true), RING_END);
        end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_idle_worker_gets_lane),
        cmocka_unit_test(test_short_lane_stays),
        cmocka_unit_test(test_lanes_at_once),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_errors),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
