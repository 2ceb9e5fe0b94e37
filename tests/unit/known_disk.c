/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "known_disk.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "list/writer.h"
#include "test.h"

#define MD 32

unsigned char old[SIZE], new[SIZE], shown[SIZE];
bool touched[SIZE];
static bool holes[SECTORS]; /* of all three */

static void put_holes(unsigned char *bytes)
{
    for (size_t i = 0; i < SECTORS; i++) {
        if (holes[i])
            memset(bytes + i * SECTOR_SIZE, 0, SECTOR_SIZE);
    }
}

int make_disk(void **state)
{
    (void)state;
    for (size_t i = 0; i < SECTORS;) {
        bool hole = random_number() % 3 == 0;

        for (size_t n = 1 + random_number() % 90; n > 0 && i < SECTORS; n--)
            holes[i++] = hole;
    }
    random_mixture(old, SIZE, 20000);
    put_holes(old);
    return 0;
}

/* --- changes ------------------------------------------------------------ */

/* Neighbouring answers may be alike. */
static int memory_next(struct changes *changes, uint64_t offset,
                       uint64_t length, struct change *change,
                       struct error *error)
{
    struct memory_changes *c = (struct memory_changes *)changes;
    uint64_t most = 1 + random_number() % 300000;

    assert_true(offset >= c->end && length <= SIZE - offset);
    if (offset >= c->fail)
        return error_set(error, EIO, "changes: broken");
    *change = (struct change){ .changed = touched[offset] };
    if (most > c->fail - offset)
        most = c->fail - offset;
    while (change->length < length && change->length < most &&
           touched[offset + change->length] == change->changed)
        change->length++;
    c->end = offset + change->length;
    return 0;
}

static void memory_free(struct changes *changes)
{
    free(changes);
}

struct memory_changes *same_changes(void)
{
    struct memory_changes *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    *c = (struct memory_changes){
        .changes = { memory_next, memory_free },
        .fail = UINT64_MAX,
    };
    return c;
}

struct memory_changes *make_changes(uint64_t size)
{
    memset(touched, false, sizeof(touched));
    memcpy(new, old, SIZE);
    for (unsigned n = random_number() % 12; n > 0 && size > 0; n--) {
        uint64_t start = random_number() % size;
        uint64_t length = 1 + random_number() % 30000;

        if (length > size - start)
            length = size - start;
        memset(touched + start, true, length);
        random_mixture(new + start, length, 20000);
    }
    put_holes(new);
    return same_changes();
}

/* --- lists -------------------------------------------------------------- */

static int memory_file(void)
{
    int fd = memfd_create(LIST_NAME, MFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

struct list_reader *open_list(int fd, bool partial)
{
    const struct list_reader_options options = { .partial = partial };
    struct error error = ERROR_INIT;
    struct list_reader *list;

    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    if (list_reader_new(fd, LIST_NAME, &options, &list, &error))
        fail_msg("%s", error_message(&error));
    return list;
}

/* --- the engine --------------------------------------------------------- */

void run_init(struct run *r, const unsigned char *bytes, uint64_t size)
{
    static const size_t block_sizes[] = { 512, 700, 4096, 65536, 1 << 18 };

    memset(r, 0, sizeof(*r));
    engine_default_options(&r->options);
    r->options.threads = 1 + random_number() % 4;
    r->options.queue_depth = 1 + random_number() % 16;
    r->options.read_size = 4096 << random_number() % 8;
    r->options.hashes[0].block_size = block_sizes[random_number() % 5];
    memory_reader_init(&r->memory, bytes, size);
    r->memory.unit = SECTOR_SIZE;
    r->memory.holes = random_number() % 2 ? holes : NULL;
    r->memory.reverse = random_number() % 2;
    r->memory.reader.cached = random_number() % 2;
    r->input.name = "memory";
}

uint64_t run_blocks(const struct run *r)
{
    uint64_t block_size = r->options.hashes[0].block_size;

    return (r->memory.reader.size + block_size - 1) / block_size;
}

int run(struct run *r)
{
    struct pollfd pfd = { .events = POLLIN };
    struct engine_progress progress;
    struct engine *e;
    int err;

    alarm(120);
    test_case("size %llu, threads %u, depth %u, read size %zu, block size %zu, "
              "part %d %llu+%llu",
              (unsigned long long)r->memory.reader.size, r->options.threads,
              r->options.queue_depth, r->options.read_size,
              r->options.hashes[0].block_size, r->input.is_part,
              (unsigned long long)r->input.first_block,
              (unsigned long long)r->input.blocks);
    assert_int_equal(
        image_open_reader(&r->memory.reader,
                          &(struct image_options){ .format = "raw" },
                          &r->input.image, &r->error),
        0);
    assert_int_equal(engine_new(&r->options, &r->input, &e, &r->error), 0);
    assert_int_equal(engine_start(e, &r->error), 0);
    pfd.fd = engine_done_fd(e);
    if (pfd.fd >= 0)
        assert_int_equal(poll(&pfd, 1, -1), 1);
    err = engine_finish(e, &r->result, &r->error);
    engine_progress(e, &progress);
    assert_true(progress.unread <= progress.done);
    if (!err)
        assert_int_equal(progress.done, progress.size);
    engine_free(e);
    image_close(r->input.image);
    alarm(0);
    return err;
}

void assert_checksum(const struct run *r, const unsigned char *content)
{
    unsigned char expected[MD];

    oracle_checksum("sha256", r->options.hashes[0].block_size, content,
                    r->memory.reader.size, expected);
    assert_int_equal(r->result.sums[0].md_len, MD);
    assert_memory_equal(r->result.sums[0].md, expected, MD);
}

int write_list(struct run *r, bool pipe)
{
    struct list_header header = {
        .block_size = r->options.hashes[0].block_size,
        .first_block = r->input.first_block,
        .length = pipe ? LIST_LENGTH_UNKNOWN : r->memory.reader.size,
        .digest = "sha256",
        .source = (char[]){ "{}" },
        .source_len = 2,
    };
    struct list_writer *writer;
    struct sink *sink;
    int fd = memory_file();

    if (list_writer_new(fd, LIST_NAME, &header, &writer, &r->error))
        fail_msg("%s", error_message(&r->error));
    sink = list_writer_sink(writer);
    r->input.sinks = &sink;
    r->input.sink_count = 1;
    if (run(r))
        fail_msg("%s", error_message(&r->error));
    list_writer_free(writer);
    r->input.sink_count = 0;
    return fd;
}

uint64_t hide(const struct run *r,
              bool (*is_known)(const struct run *r, uint64_t block))
{
    uint64_t block_size = r->options.hashes[0].block_size, hidden = 0;

    memcpy(shown, new, SIZE);
    for (uint64_t i = 0; i < run_blocks(r); i++) {
        uint64_t start = i * block_size;
        uint64_t length = r->memory.reader.size - start;

        if (length > block_size)
            length = block_size;
        if (!is_known(r, i))
            continue;
        memset(shown + start, 0xee, length);
        hidden += length;
    }
    return hidden;
}

void run_known(struct run *r, struct known *known, uint64_t unread,
               uint64_t size)
{
    const struct engine_counts *c = &r->result.counts;

    r->memory.bytes = shown;
    r->input.known = known;
    if (run(r))
        fail_msg("%s", error_message(&r->error));
    known_free(known);
    assert_int_equal(c->known, unread);
    assert_int_equal(c->data + c->zero + c->hole + c->known, size);
    if (!r->memory.holes)
        assert_int_equal(c->read, size - unread);
}

uint64_t random_size(void)
{
    return random_number() % (SECTORS + 1) * SECTOR_SIZE;
}

bool is_unchanged(const struct run *r, uint64_t block)
{
    uint64_t start = block * r->options.hashes[0].block_size;

    for (uint64_t i = 0; i < r->options.hashes[0].block_size &&
                         start + i < r->memory.reader.size;
         i++) {
        if (touched[start + i])
            return false;
    }
    return true;
}

struct known *unchanged(int fd, struct memory_changes *changes, uint64_t size)
{
    struct error error = ERROR_INIT;
    struct known *known;

    if (known_unchanged(open_list(fd, false), &changes->changes, size, &known,
                        &error))
        fail_msg("%s", error_message(&error));
    return known;
}

/* --- the clock ---------------------------------------------------------- */

static int64_t seconds_later;

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

/* It is so fast that a list has a check after a few runs of blocks. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    int err = __real_clock_gettime(clock, t);

    if (clock == CLOCK_MONOTONIC)
        t->tv_sec += __atomic_add_fetch(&seconds_later, 3, __ATOMIC_RELAXED);
    return err;
}
