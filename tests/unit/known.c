/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks that are hashed with digests of a list, and parts of them. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "known_disk.h"
#include "list/root-sink.h"

#define MD 32

static void test_unchanged(void **state)
{
    (void)state;
    for (int i = 0; i < 150; i++) {
        uint64_t size = random_size();
        struct memory_changes *changes = make_changes(size);
        struct run r;
        int fd;

        run_init(&r, old, size);
        fd = write_list(&r, random_number() % 4 == 0);
        run_known(&r, unchanged(fd, changes, size), hide(&r, is_unchanged),
                  size);
        assert_checksum(&r, new);
        close(fd);
    }
}

/* Without changes, nothing is read. */
static void test_nothing_changed(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct known *known;
        struct run r;
        int fd;

        memcpy(new, old, SIZE);
        memset(touched, false, SIZE);
        run_init(&r, old, random_size());
        fd = write_list(&r, false);
        assert_int_equal(known_unchanged(open_list(fd, false), NULL,
                                         r.memory.reader.size, &known,
                                         &r.error),
                         0);
        run_known(&r, known, hide(&r, is_unchanged), r.memory.reader.size);
        assert_checksum(&r, new);
        assert_int_equal(r.result.counts.read, 0);
        close(fd);
    }
}

/* --- what was hashed before --------------------------------------------- */

static uint64_t blocks_before; /* the list was interrupted */

static bool was_hashed(const struct run *r, uint64_t block)
{
    (void)r;
    return block < blocks_before;
}

static bool was_hashed_or_unchanged(const struct run *r, uint64_t block)
{
    return was_hashed(r, block) || is_unchanged(r, block);
}

/* Cut a list somewhere behind its header, and find where it goes on. */
static void interrupt(int fd)
{
    struct list_reader *list = open_list(fd, true);
    uint64_t head = list_header_size(list_reader_header(list)) + 8 + MD;
    uint64_t size = lseek(fd, 0, SEEK_END);
    struct error error = ERROR_INIT;
    struct list_point point;
    struct list_run found;

    list_reader_free(list);
    assert_int_equal(ftruncate(fd, head + random_number() % (size - head + 1)),
                     0);
    list = open_list(fd, true);
    do {
        assert_int_equal(list_reader_next(list, 0, &found, &error), 0);
    } while (found.blocks > 0);
    list_reader_point(list, &point);
    blocks_before = point.blocks;
    list_reader_free(list);
}

static struct known *of_part(int fd, uint64_t size)
{
    struct error error = ERROR_INIT;
    struct known *known;

    if (known_of_part(open_list(fd, true), size, &known, &error))
        fail_msg("%s", error_message(&error));
    return known;
}

static void test_interrupted(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        uint64_t size = random_size();
        struct run r;
        int fd;

        changes_free(&make_changes(size)->changes);
        run_init(&r, new, size);
        fd = write_list(&r, false);
        interrupt(fd);
        run_known(&r, of_part(fd, size), hide(&r, was_hashed), size);
        assert_checksum(&r, new);
        close(fd);
    }
}

/* --- both --------------------------------------------------------------- */

/* Write the list of the old disk, and an interrupted one of the new disk. */
static void make_lists(struct run *r, uint64_t size, int fds[2])
{
    changes_free(&make_changes(size)->changes);
    run_init(r, old, size);
    fds[0] = write_list(r, false);
    r->memory.bytes = new;
    fds[1] = write_list(r, false);
    interrupt(fds[1]);
}

/* What either list knows, in either order. */
static struct known *of_both(const int fds[2], uint64_t size)
{
    struct known *a = unchanged(fds[0], same_changes(), size);
    struct known *b = of_part(fds[1], size);
    bool swap = random_number() % 2;
    struct error error = ERROR_INIT;
    struct known *known;

    if (known_either(swap ? b : a, swap ? a : b, LIST_NAME, &known, &error))
        fail_msg("%s", error_message(&error));
    return known;
}

/* A run with an older list was interrupted. */
static void test_interrupted_and_unchanged(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        uint64_t size = random_size();
        struct run r;
        int fds[2];

        make_lists(&r, size, fds);
        run_known(&r, of_both(fds, size), hide(&r, was_hashed_or_unchanged),
                  size);
        assert_checksum(&r, new);
        close(fds[0]);
        close(fds[1]);
    }
}

/* Compare an answer with the disk: block number i of a run. */
static void check_answer(const struct run *r, const struct known_run *found,
                         uint64_t first, uint64_t i)
{
    static const unsigned char zeros[1 << 18];
    const uint64_t block_size = r->options.hashes[0].block_size;
    const unsigned char *bytes = new + (first + i) * block_size;
    uint64_t left = r->memory.reader.size - (first + i) * block_size;
    uint64_t length = left < block_size ? left : block_size;
    unsigned char md[MD];

    assert_int_equal(found->kind != KNOWN_NOT,
                     was_hashed_or_unchanged(r, first + i));
    if (found->kind == KNOWN_ZERO) {
        assert_int_equal(length, block_size);
        assert_memory_equal(bytes, zeros, length);
    } else if (found->kind == KNOWN_DIGESTS) {
        oracle_digest("sha256", bytes, length, md);
        assert_memory_equal(found->mds + i * MD, md, MD);
    }
}

/* A call may ask for few blocks or many, and may leave some out. */
static void test_calls(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        uint64_t size = random_size();
        struct error error = ERROR_INIT;
        struct known *known;
        struct run r;
        int fds[2];

        make_lists(&r, size, fds);
        known = of_both(fds, size);
        for (uint64_t block = 0; block < run_blocks(&r);) {
            uint64_t left = run_blocks(&r) - block;
            uint64_t max = 1 + random_number() % (i % 2 ? 4 : left);
            struct known_run found;

            if (max > left)
                max = left;
            assert_int_equal(known_next(known, block, max, &found, &error), 0);
            for (uint64_t n = 0; n < found.blocks; n++)
                check_answer(&r, &found, block, n);
            block += found.blocks;
            if (random_number() % 3 == 0)
                block += random_number() % 20;
        }
        assert_int_equal(known->end(known, &error), 0);
        known_free(known);
        close(fds[0]);
        close(fds[1]);
    }
}

/* The rest of both lists is verified. */
static void test_end_of_both(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        uint64_t size = random_size();
        struct error error = ERROR_INIT;
        struct known *known;
        struct run r;
        int fds[2];

        make_lists(&r, size, fds);
        assert_int_equal(ftruncate(fds[0], lseek(fds[0], 0, SEEK_END) - 1), 0);
        known = of_both(fds, size);
        assert_int_equal(known->end(known, &error), EINVAL);
        error_clear(&error);
        known_free(known);
        close(fds[0]);
        close(fds[1]);
    }
}

/* --- parts -------------------------------------------------------------- */

static uint64_t first_block, end_block; /* of the part */

static bool is_unchanged_in_part(const struct run *r, uint64_t block)
{
    return block >= first_block && block < end_block && is_unchanged(r, block);
}

static uint64_t part_length(const struct run *r)
{
    uint64_t start = first_block * r->options.hashes[0].block_size;
    uint64_t end = end_block * r->options.hashes[0].block_size;
    uint64_t size = r->memory.reader.size;

    return (end < size ? end : size) - (start < size ? start : size);
}

static void add_to_root(int fd, struct sink *root)
{
    struct list_reader *list = open_list(fd, false);
    struct error error = ERROR_INIT;
    struct list_run found;

    do {
        assert_int_equal(list_reader_next(list, 0, &found, &error), 0);
        if (found.mds)
            assert_int_equal(
                root->digests(root, found.mds, found.blocks, &error), 0);
        else
            assert_int_equal(root->zero(root, found.blocks, &error), 0);
    } while (found.blocks > 0);
    list_reader_free(list);
}

/* Hash the part, with the list of the old disk if there is one, and add its
 * digests to the root. */
static void hash_part(struct run *r, int base, struct sink *root)
{
    uint64_t size = r->memory.reader.size;
    bool all = part_length(r) == size;
    int fd;

    r->input.is_part = true;
    r->input.first_block = first_block;
    r->input.blocks = end_block - first_block;
    r->memory.bytes = new;
    r->input.known = NULL;
    fd = write_list(r, false);
    assert_int_equal(r->result.sums[0].md_len, all ? MD : 0);
    assert_int_equal(r->result.length, size);
    assert_int_equal(r->result.counts.known, 0);
    if (base >= 0) {
        run_known(r, unchanged(base, same_changes(), size),
                  hide(r, is_unchanged_in_part), part_length(r));
    }
    add_to_root(fd, root);
    close(fd);
}

static void test_parts(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        uint64_t size = random_size();
        unsigned count = 1 + random_number() % 5;
        unsigned char expected[MD];
        struct sink_end end = { .length = size };
        struct sink *root;
        struct run r;
        int base;

        changes_free(&make_changes(size)->changes);
        run_init(&r, old, size);
        base = write_list(&r, false);
        assert_int_equal(root_sink_new(r.options.hashes[0].block_size, "sha256",
                                       LIST_NAME, &root),
                         0);
        end_block = 0;
        for (unsigned part = 1; part <= count; part++) {
            first_block = end_block;
            end_block = run_blocks(&r) * part / count;
            hash_part(&r, base, root);
        }
        assert_int_equal(root->end(root, &end, &r.error), 0);
        oracle_checksum("sha256", r.options.hashes[0].block_size, new, size,
                        expected);
        assert_memory_equal(end.md, expected, MD);
        root_sink_free(root);
        close(base);
    }
}

/* --- errors ------------------------------------------------------------- */

static void assert_error(struct run *r, const char *message)
{
    assert_string_equal(error_message(&r->error), message);
    error_clear(&r->error);
}

static void test_other_length(void **state)
{
    struct list_reader *list;
    struct known *known;
    struct run r;
    int fd;

    (void)state;
    run_init(&r, old, 1024);
    fd = write_list(&r, false);
    list = open_list(fd, false);
    assert_int_equal(known_unchanged(list, NULL, 2048, &known, &r.error),
                     EINVAL);
    assert_error(&r,
                 LIST_NAME ": is the list of a disk of 1024 bytes, but this "
                           "one has 2048");
    list_reader_free(list);
    close(fd);

    /* The list of a pipe says it at its end. */
    fd = write_list(&r, true);
    list = open_list(fd, false);
    assert_int_equal(known_of_part(list, 1024, &known, &r.error), EINVAL);
    assert_error(&r,
                 LIST_NAME ": is the list of a pipe, which cannot be resumed");
    assert_int_equal(known_unchanged(list, NULL, 2048, &known, &r.error), 0);
    r.memory.reader.size = 2048;
    r.input.known = known;
    assert_int_equal(run(&r), EINVAL);
    assert_error(&r,
                 LIST_NAME ": is the list of a disk of 1024 bytes, but this "
                           "one has 2048");
    known_free(known);
    close(fd);
}

/* A list that is damaged anywhere gives no checksum, whether those digests are
 * used or not. */
static void test_broken_list(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        uint64_t size = random_size();
        struct memory_changes *changes = make_changes(size);
        struct known *known;
        struct run r;
        unsigned char byte;
        off_t place;
        int fd;

        run_init(&r, old, size);
        fd = write_list(&r, false);
        known = unchanged(fd, changes, size); /* has read the header */
        place = lseek(fd, 0, SEEK_END) - 1 - random_number() % (8 + MD);
        if (i % 2) {
            assert_int_equal(ftruncate(fd, place), 0);
        } else {
            assert_int_equal(pread(fd, &byte, 1, place), 1);
            byte ^= 1 << random_number() % 8;
            assert_int_equal(pwrite(fd, &byte, 1, place), 1);
        }
        known_free(known);
        changes = make_changes(size);
        known = unchanged(fd, changes, size);
        r.input.known = known;
        assert_int_equal(run(&r), EINVAL);
        assert_non_null(strstr(error_message(&r.error), LIST_NAME ": "));
        assert_non_null(strstr(error_message(&r.error), " digest list: "));
        error_clear(&r.error);
        known_free(known);
        close(fd);
    }
}

/* The first fault on the disk is reported, be it of the disk or of what is
 * known of it. */
static void test_first_fault(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        struct memory_changes *changes = make_changes(SIZE);
        struct known *known;
        char expected[100] = "changes: broken";
        uint64_t rest;
        struct run r;
        int fd;

        memset(touched, true, SIZE); /* all is read */
        run_init(&r, old, SIZE);
        fd = write_list(&r, false);
        known = unchanged(fd, changes, SIZE);
        changes->fail = random_number() % SIZE;
        r.memory.holes = NULL;
        r.memory.fail_read = random_number() % SIZE;
        r.input.known = known;
        assert_int_equal(run(&r), EIO);
        /* What has changed is asked at the start of a block. */
        rest = changes->fail % r.options.hashes[0].block_size;
        rest = rest ? r.options.hashes[0].block_size - rest : 0;
        if (r.memory.fail_read < changes->fail + rest)
            snprintf(expected, sizeof(expected),
                     "memory: read error at offset %u: Input/output error",
                     (unsigned)r.memory.fail_read);
        assert_error(&r, expected);
        known_free(known);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_nothing_changed),
        cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_interrupted_and_unchanged),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_end_of_both),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_other_length),
        cmocka_unit_test(test_broken_list),
        cmocka_unit_test(test_first_fault),
    };

    return RUN_TESTS(tests, make_disk, NULL);
}
