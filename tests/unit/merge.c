/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list_disk.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "list/merge.h"
#include "list/root-sink.h"

#define MD 32
#define MAX_PARTS 20
#define BLOCKS 60
#define LENGTH (BLOCKS * 512 - 1)

/* Lists of parts, each in a file, and their readers. */
struct parts {
    size_t count;
    int fds[MAX_PARTS];
    char names[MAX_PARTS][16];
    struct list_reader *readers[MAX_PARTS];
};

static void add_list(struct parts *parts, int fd)
{
    const struct list_reader_options options = { .partial = false };
    struct error error = ERROR_INIT;
    size_t i = parts->count++;

    snprintf(parts->names[i], sizeof(parts->names[i]), "part%zu", i);
    parts->fds[i] = fd;
    assert_int_equal(list_reader_new(fd, parts->names[i], &options,
                                     &parts->readers[i], &error),
                     0);
}

static void add(struct parts *parts, const struct disk *disk, size_t first,
                size_t count)
{
    struct disk part = disk_part(disk, first, count);

    add_list(parts, disk_list(&part, 10));
}

static void clear(struct parts *parts)
{
    for (size_t i = 0; i < parts->count; i++) {
        list_reader_free(parts->readers[i]);
        close(parts->fds[i]);
    }
    parts->count = 0;
}

static void shuffle(struct parts *parts)
{
    for (size_t i = parts->count; i > 1; i--) {
        size_t other = random_number() % i;
        struct list_reader *r = parts->readers[i - 1];

        parts->readers[i - 1] = parts->readers[other];
        parts->readers[other] = r;
    }
}

/* Merge into a root, and into the writer of a list if there is one. */
static int merge(const struct parts *parts, struct list_writer *w,
                 struct sink_end *end, struct error *error)
{
    const struct list_merge of = {
        .parts = parts->readers,
        .count = parts->count,
        .named = parts->count,
        .name = "disk",
    };
    struct sink *root, *sinks[2];
    int err;

    assert_int_equal(root_sink_new(512, "sha256", "merged", &root), 0);
    sinks[0] = root;
    if (w)
        sinks[1] = list_writer_sink(w);
    err = list_merge(&of, sinks, w ? 2 : 1, end, error);
    root_sink_free(root);
    return err;
}

/* Any cut in any order, also with empty parts, gives the list of the whole. */
static void test_any_cut(void **state)
{
    struct disk disk;
    unsigned char *whole, md[MD];
    size_t whole_len;
    int fd;

    (void)state;
    disk_init(&disk, BLOCKS, LENGTH);
    disk_checksum(&disk, md);
    fd = disk_list(&disk, BLOCKS);
    whole = file_content(fd, &whole_len);
    close(fd);
    for (int round = 0; round < 50; round++) {
        struct parts parts = { .count = 0 };
        struct error error = ERROR_INIT;
        struct list_writer *w;
        struct sink_end end;
        unsigned char *merged;
        size_t first = 0, len;

        test_case("round %d", round);
        while (parts.count < MAX_PARTS - 1) {
            size_t count = random_number() % (round + 1);

            if (count > BLOCKS - first)
                count = BLOCKS - first;
            add(&parts, &disk, first, count);
            first += count;
        }
        add(&parts, &disk, first, BLOCKS - first);
        shuffle(&parts);

        fd = memory_file("", 0);
        w = disk_writer(&disk, fd);
        if (merge(&parts, w, &end, &error))
            fail_msg("%s", error_message(&error));
        list_writer_free(w);
        assert_int_equal(end.length, LENGTH);
        assert_int_equal(end.md_len, MD);
        assert_memory_equal(end.md, md, MD);
        merged = file_content(fd, &len);
        assert_int_equal(len, whole_len);
        assert_memory_equal(merged, whole, len);
        free(merged);
        close(fd);
        clear(&parts);
    }
    free(whole);
    disk_destroy(&disk);
}

static void assert_refused(struct parts *parts, const char *message)
{
    struct error error = ERROR_INIT;
    struct sink_end end;

    test_case("%s", message);
    assert_int_equal(merge(parts, NULL, &end, &error), EINVAL);
    assert_string_equal(error_message(&error), message);
    error_clear(&error);
    clear(parts);
}

static void test_gaps(void **state)
{
    struct parts parts = { .count = 0 };
    struct disk disk;

    (void)state;
    disk_init(&disk, BLOCKS, LENGTH);
    add(&parts, &disk, 40, 20);
    assert_refused(&parts, "disk: parts 1-2/3 are missing");
    add(&parts, &disk, 0, 15);
    add(&parts, &disk, 45, 15);
    assert_refused(&parts, "disk: parts 2-3/4 are missing");

    /* They were not cut alike. */
    add(&parts, &disk, 20, 40);
    assert_refused(&parts, "part0: begins at block 20: no list has the blocks "
                           "before it");
    add(&parts, &disk, 31, 29);
    add(&parts, &disk, 0, 30);
    assert_refused(&parts, "part0: begins at block 31, but part1 ends at block "
                           "30: no list has the blocks between them");
    add(&parts, &disk, 0, 31);
    add(&parts, &disk, 31, 28);
    assert_refused(&parts, "part1: ends at block 59 of 60: no list has the "
                           "blocks after it");
    add(&parts, &disk, 0, 0);
    assert_refused(&parts, "part0: ends at block 0 of 60: no list has the "
                           "blocks after it");
    disk_destroy(&disk);
}

static void test_overlaps(void **state)
{
    struct parts parts = { .count = 0 };
    struct disk disk;

    (void)state;
    disk_init(&disk, BLOCKS, LENGTH);
    add(&parts, &disk, 29, 31);
    add(&parts, &disk, 0, 30);
    assert_refused(&parts, "part0: begins at block 29, but part1 ends at block "
                           "30: they overlap");
    add(&parts, &disk, 0, 60);
    add(&parts, &disk, 59, 1);
    assert_refused(&parts, "part1: begins at block 59, but part0 ends at block "
                           "60: they overlap");
    disk_destroy(&disk);
}

/* The beginning of a list, whose header is given. */
static int other_list(const struct list_header *header)
{
    int fd = memory_file("", 0);
    struct error error = ERROR_INIT;
    struct list_writer *w;

    assert_int_equal(list_writer_new(fd, LIST_NAME, header, &w, &error), 0);
    list_writer_free(w);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static void test_other_disks(void **state)
{
    static char source[] = "{}";
    struct parts parts = { .count = 0 };
    struct list_header header;
    struct disk disk;

    (void)state;
    disk_init(&disk, BLOCKS, LENGTH);

    header = disk_header(&disk);
    header.block_size = 1024;
    add(&parts, &disk, 0, 30);
    add_list(&parts, other_list(&header));
    assert_refused(&parts, "part1: the block size is 1024, but 512 in part0");

    header = disk_header(&disk);
    strcpy(header.digest, "sha512");
    add(&parts, &disk, 0, 30);
    add_list(&parts, other_list(&header));
    assert_refused(&parts, "part1: the digest is sha512, but sha256 in part0");

    header = disk_header(&disk);
    header.length++;
    add(&parts, &disk, 0, 30);
    add_list(&parts, other_list(&header));
    assert_refused(&parts,
                   "part1: the disk has 30720 bytes, but 30719 in part0");

    header = disk_header(&disk);
    header.length = LIST_LENGTH_UNKNOWN;
    add(&parts, &disk, 0, 30);
    add_list(&parts, other_list(&header));
    assert_refused(&parts,
                   "part1: is a list of a pipe, which cannot be merged");

    header = disk_header(&disk);
    header.length = LIST_LENGTH_UNKNOWN;
    add_list(&parts, other_list(&header));
    add_list(&parts, other_list(&header));
    assert_refused(&parts,
                   "part0: is a list of a pipe, which cannot be merged");

    header = disk_header(&disk);
    header.source = source;
    header.source_len = strlen(source);
    add(&parts, &disk, 0, 30);
    add_list(&parts, other_list(&header));
    assert_refused(&parts, "part1: is not a list of the same image as part0");
    disk_destroy(&disk);
}

/* A part that was interrupted is no part. */
static void test_incomplete(void **state)
{
    struct parts parts = { .count = 0 };
    struct error error = ERROR_INIT;
    struct sink_end end;
    struct disk disk, part;
    unsigned char *bytes;
    size_t len;
    int fd;

    (void)state;
    disk_init(&disk, BLOCKS, LENGTH);
    part = disk_part(&disk, 0, 30);
    fd = disk_list(&part, 30);
    bytes = file_content(fd, &len);
    close(fd);
    add_list(&parts, memory_file(bytes, len - 1));
    add(&parts, &disk, 30, 30);
    assert_int_equal(merge(&parts, NULL, &end, &error), EINVAL);
    assert_non_null(strstr(error_message(&error), "incomplete"));
    assert_non_null(strstr(error_message(&error), "; so part 1/2 is missing"));
    error_clear(&error);
    clear(&parts);
    free(bytes);
    disk_destroy(&disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_cut),    cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_overlaps),   cmocka_unit_test(test_other_disks),
        cmocka_unit_test(test_incomplete),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
