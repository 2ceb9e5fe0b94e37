/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list that is written and read again: all of it, a part, cut, and damaged.
 */
#include "list_disk.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MD 32

/* With its check. */
#define HEADER_SIZE (LIST_FIXED_HEADER + sizeof(LIST_SOURCE) - 1 + 8 + MD)

/* --- the clock -------------------------------------------------------------
 */

static int64_t seconds_later;

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    int err = __real_clock_gettime(clock, t);

    t->tv_sec += seconds_later;
    return err;
}

/* A list that is so slow that each ten of its blocks are a chunk. */
static unsigned char *slow_list(const struct disk *disk, size_t *len)
{
    int fd = memory_file("", 0);
    struct list_writer *w = disk_writer(disk, fd);
    unsigned char *bytes;

    for (size_t i = 0; i < disk->count; i += 10) {
        struct disk part = disk_part(disk, i, 10);

        seconds_later += LIST_FLUSH_SECONDS;
        disk_give(&part, list_writer_sink(w), 10);
    }
    disk_give_end(disk, list_writer_sink(w));
    list_writer_free(w);
    bytes = file_content(fd, len);
    close(fd);
    return bytes;
}

/* --- reading ---------------------------------------------------------------
 */

struct found {
    int err;
    char message[256];
    size_t blocks;
    bool ended;
    struct sink_end end;
    struct list_point point;
};

static void compare_run(const struct disk *disk, size_t block,
                        const struct list_run *run)
{
    assert_true(run->blocks <= disk->count - block);
    for (size_t i = 0; i < run->blocks; i++) {
        unsigned char md[MD];

        disk_md(disk, block + i, md);
        if (run->mds)
            assert_memory_equal(md, run->mds + i * MD, MD);
        else
            assert_int_equal(disk->letters[block + i], 0);
    }
}

/* Read a list. What is handed out must be that of the disk, if one is given. */
static struct found read_list(int fd, const struct disk *disk,
                              const struct list_reader_options *options,
                              uint64_t max)
{
    struct error error = ERROR_INIT;
    struct list_reader *r = NULL;
    struct found found = { .blocks = 0 };
    struct list_run run = { .blocks = 1 };

    found.err = list_reader_new(fd, LIST_NAME, options, &r, &error);
    while (!found.err && run.blocks > 0) {
        found.err = list_reader_next(r, max, &run, &error);
        if (found.err)
            break;
        assert_true(max == 0 || run.blocks <= max);
        if (disk)
            compare_run(disk, found.blocks, &run);
        found.blocks += run.blocks;
    }
    if (found.err) {
        snprintf(found.message, sizeof(found.message), "%s",
                 error_message(&error));
        error_clear(&error);
    } else {
        list_reader_point(r, &found.point);
        found.ended = list_reader_is_ended(r);
        if (found.ended)
            list_reader_end(r, &found.end);
    }
    list_reader_free(r);
    return found;
}

static struct found read_bytes(const unsigned char *bytes, size_t len,
                               const struct disk *disk, bool partial)
{
    const struct list_reader_options options = { .partial = partial };
    int fd = memory_file(bytes, len);
    struct found found = read_list(fd, disk, &options, 0);

    close(fd);
    return found;
}

/* The list of a disk is right. */
static void compare_list(int fd, const struct disk *disk, uint64_t max)
{
    const struct list_reader_options options = { .partial = false };
    struct found found = read_list(fd, disk, &options, max);
    unsigned char md[MD];

    assert_string_equal(found.message, "");
    assert_int_equal(found.err, 0);
    assert_int_equal(found.blocks, disk->count);
    assert_true(found.ended);
    assert_int_equal(found.end.length, disk->length);
    if (found.end.md_len) {
        disk_checksum(disk, md);
        assert_int_equal(found.end.md_len, MD);
        assert_memory_equal(found.end.md, md, MD);
    }
}

/* --- tests -----------------------------------------------------------------
 */

static void test_round_trip(void **state)
{
    static const size_t lengths[] = { 0, 512, 513, 300 * 512,
                                      100000 * 512 - 3 };

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_SIZE(lengths); i++) {
        uint64_t length = lengths[i / 2];
        struct disk disk;

        disk_init(&disk, (length + 511) / 512, length);
        if (i % 2)
            disk.header_length = LIST_LENGTH_UNKNOWN;
        for (uint64_t max = 0; max < 1000; max = max * 5 + 1) {
            int fd = disk_list(&disk, 1 + random_number() % 5000);

            test_case("length %zu, in the header %d, max %zu", (size_t)length,
                      i % 2 == 0, (size_t)max);
            compare_list(fd, &disk, max);
            close(fd);
        }
        disk_destroy(&disk);
    }
}

static void test_part(void **state)
{
    struct disk disk, part;
    int fd;

    (void)state;
    disk_init(&disk, 1000, 1000 * 512 - 1);
    for (size_t first = 0; first <= 1000; first += 100) {
        for (size_t count = 0; count <= 1000 - first; count += 300) {
            test_case("blocks %zu to %zu", first, first + count);
            part = disk_part(&disk, first, count);
            fd = disk_list(&part, 50);
            compare_list(fd, &part, 0);
            close(fd);
        }
    }
    disk_destroy(&disk);
}

/* The records do not depend on the calls. */
static void test_same_bytes(void **state)
{
    unsigned char *bytes, *again;
    struct disk disk;
    size_t len, len_again;
    int fd;

    (void)state;
    disk_init(&disk, 90000, 90000 * 512);
    fd = disk_list(&disk, 90000);
    bytes = file_content(fd, &len);
    close(fd);
    for (size_t step = 1; step < 90000; step *= 17) {
        test_case("step %zu", step);
        fd = disk_list(&disk, step);
        again = file_content(fd, &len_again);
        assert_int_equal(len, len_again);
        assert_memory_equal(bytes, again, len);
        free(again);
        close(fd);
    }
    free(bytes);
    disk_destroy(&disk);
}

/* Every bit of a list is part of some check. */
static void test_flipped_bits(void **state)
{
    struct disk disk;
    unsigned char *bytes;
    size_t len;
    int fd;

    (void)state;
    disk_init(&disk, 9, 9 * 512);
    memcpy(disk.letters, "a\0\0\0bc\0de", 9);
    fd = disk_list(&disk, 9);
    bytes = file_content(fd, &len);
    close(fd);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        struct found found;

        test_case("bit %zu", bit);
        bytes[bit / 8] ^= 1 << bit % 8;
        found = read_bytes(bytes, len, NULL, false);
        assert_int_not_equal(found.err, 0);
        assert_string_not_equal(found.message, "");
        bytes[bit / 8] ^= 1 << bit % 8;
    }
    free(bytes);
    disk_destroy(&disk);
}

/* Read the first bytes of a list, of which zeros may follow. */
static void read_interrupted(const unsigned char *list, size_t cut,
                             size_t zeros, const struct disk *disk)
{
    unsigned char *bytes = calloc(1, cut + zeros + 1);
    struct found found;

    memcpy(bytes, list, cut);
    found = read_bytes(bytes, cut + zeros, disk, true);
    free(bytes);
    if (found.err) {
        assert_true(cut < HEADER_SIZE);
        assert_true(zeros || found.err == ENODATA);
        return;
    }
    assert_false(found.ended);
    assert_int_equal(found.blocks, found.point.blocks);
    assert_int_equal(found.blocks % 10, 0);
    /* A check may end with a zero. */
    assert_true(found.point.offset <= cut + 1);
    assert_memory_equal(found.point.check, list + found.point.offset - MD, MD);
}

/* An interrupted list ends after its last good check, also if its last bytes
 * became zeros when the power went. */
static void test_cut(void **state)
{
    struct disk disk;
    unsigned char *bytes;
    size_t len;

    (void)state;
    disk_init(&disk, 20, 20 * 512);
    bytes = slow_list(&disk, &len);
    for (size_t cut = 0; cut < len; cut++) {
        test_case("cut at %zu", cut);
        assert_int_equal(read_bytes(bytes, cut, NULL, false).err, EINVAL);
        read_interrupted(bytes, cut, 0, &disk);
        read_interrupted(bytes, cut, len - cut, &disk);
    }
    free(bytes);
    disk_destroy(&disk);
}

/* From each place where a list can be interrupted, it is written to its end. */
static void test_resume(void **state)
{
    const struct list_reader_options partial = { .partial = true };
    struct disk disk;
    unsigned char *bytes;
    size_t len;

    (void)state;
    disk_init(&disk, 50, 50 * 512);
    bytes = slow_list(&disk, &len);
    for (size_t cut = HEADER_SIZE; cut <= len; cut += 31) {
        struct list_header header = disk_header(&disk);
        struct error error = ERROR_INIT;
        struct list_writer *w;
        struct found found;
        int fd, err;

        test_case("cut at %zu", cut);
        if (cut + 31 > len)
            cut = len;
        fd = memory_file(bytes, cut);
        found = read_list(fd, &disk, &partial, 0);
        assert_int_equal(found.err, 0);
        assert_int_equal(found.ended, cut == len);
        err = list_writer_resume(fd, LIST_NAME, &header, &found.point, &w,
                                 &error);
        assert_int_equal(err, 0);
        disk_give(&disk, list_writer_sink(w), 7);
        disk_give_end(&disk, list_writer_sink(w));
        list_writer_free(w);
        lseek(fd, 0, SEEK_SET);
        compare_list(fd, &disk, 0);
        close(fd);
    }
    free(bytes);
    disk_destroy(&disk);
}

/* A list that has its end is not made one of another disk. */
static void test_resume_another_disk(void **state)
{
    const struct list_reader_options partial = { .partial = true };
    struct sink_end other = { .length = 50 * 512, .md_len = MD };
    struct error error = ERROR_INIT;
    struct list_header header;
    struct list_writer *w;
    struct found found;
    struct disk disk;
    struct sink *sink;
    int fd;

    (void)state;
    disk_init(&disk, 50, 50 * 512);
    header = disk_header(&disk);
    fd = disk_list(&disk, 50);
    found = read_list(fd, &disk, &partial, 0);
    assert_int_equal(
        list_writer_resume(fd, LIST_NAME, &header, &found.point, &w, &error),
        0);
    sink = list_writer_sink(w);
    disk_give(&disk, sink, 7);
    assert_int_equal(sink->end(sink, &other, &error), EINVAL);
    error_clear(&error);
    list_writer_free(w);
    close(fd);
    disk_destroy(&disk);
}

/* --- a pipe ----------------------------------------------------------------
 */

static void *write_to_pipe(void *arg)
{
    const struct disk *disk = arg;
    int fd = (int)disk->first_block;
    struct disk whole = *disk;
    struct list_writer *w;

    whole.first_block = 0;
    w = disk_writer(&whole, fd);
    disk_give(&whole, list_writer_sink(w), 100);
    disk_give_end(&whole, list_writer_sink(w));
    list_writer_free(w);
    close(fd);
    return NULL;
}

static void test_pipe(void **state)
{
    struct disk disk, for_writer;
    pthread_t writer;
    int fds[2];

    (void)state;
    disk_init(&disk, 50000, 50000 * 512);
    assert_int_equal(pipe(fds), 0);
    for_writer = disk;
    for_writer.first_block = (uint64_t)fds[1];
    pthread_create(&writer, NULL, write_to_pipe, &for_writer);
    compare_list(fds[0], &disk, 0);
    pthread_join(writer, NULL);
    close(fds[0]);
    disk_destroy(&disk);
}

/* Nobody reads: an error, not a list. */
static void test_closed_pipe(void **state)
{
    struct list_header header;
    struct error error = ERROR_INIT;
    struct list_writer *w;
    struct disk disk;
    int fds[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    disk_init(&disk, 1, 512);
    header = disk_header(&disk);
    assert_int_equal(pipe(fds), 0);
    close(fds[0]);
    assert_int_equal(list_writer_new(fds[1], LIST_NAME, &header, &w, &error),
                     EPIPE);
    assert_string_equal(error_message(&error),
                        LIST_NAME ": write error: Broken pipe");
    error_clear(&error);
    close(fds[1]);
    disk_destroy(&disk);
}

/* --- bounds ----------------------------------------------------------------
 */

/* --max-size bounds a disk that says its length, and one that does not. */
static void test_max_size(void **state)
{
    struct disk disk;

    (void)state;
    disk_init(&disk, 20, 20 * 512 - 5);
    for (int known = 0; known < 2; known++) {
        disk.header_length = known ? disk.length : LIST_LENGTH_UNKNOWN;
        for (uint64_t max = disk.length - 500; max < disk.length + 9;
             max += 100) {
            const struct list_reader_options options = { .max_size = max };
            int fd = disk_list(&disk, 20);
            struct found found = read_list(fd, &disk, &options, 0);

            test_case("max %zu, known %d", (size_t)max, known);
            assert_int_equal(found.err == 0, max >= disk.length);
            assert_int_equal(found.err != 0,
                             strstr(found.message, "--max-size") != NULL);
            close(fd);
        }
    }
    disk_destroy(&disk);
}

/* What cannot be in a header. */
static void test_bad_headers(void **state)
{
    static const struct {
        struct list_header header;
        const char *message;
    } cases[] = {
        { { .digest = "sha256" }, "the block size is 0" },
        { { .block_size = BLKHASH_MAX_BLOCK_SIZE + 1, .digest = "sha256" },
          "the block size is 16777217" },
        { { .block_size = 512, .length = UINT64_C(1) << 63, .digest = "md5" },
          "more than 2^63 - 1" },
        { { .block_size = 2, .length = INT64_MAX, .digest = "sha256" },
          "cannot have 4611686018427387904 blocks" },
        { { .block_size = 512,
            .length = 513,
            .first_block = 3,
            .digest = "sha256" },
          "the first block is 3, but the disk has 2" },
        { { .block_size = 512,
            .length = LIST_LENGTH_UNKNOWN,
            .first_block = 1,
            .digest = "sha256" },
          "a part of a disk of unknown length" },
        { { .block_size = 512, .digest = "" }, "not a name" },
        { { .block_size = 512, .digest = "SHA256" }, "not a name" },
        { { .block_size = 512, .digest = "sha 256" }, "not a name" },
        { { .block_size = 512, .digest = "sha256\0x" }, "not a name" },
        { { .block_size = 512, .digest = "0123456789abcdef0123456789abcdef" },
          "not a name" },
        { { .block_size = 512, .digest = "no-such" },
          "the digest 'no-such' is not available" },
        { { .block_size = 512, .digest = "null" },
          "the digest 'null' computes nothing" },
        { { .block_size = 512, .digest = "sha256", .source_len = 1 << 20 },
          "the header has 1048648 bytes" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error error = ERROR_INIT;
        int fd = memory_file("", 0);
        struct list_writer *w;

        test_case("%s", cases[i].message);
        assert_int_not_equal(
            list_writer_new(fd, LIST_NAME, &cases[i].header, &w, &error), 0);
        assert_non_null(strstr(error_message(&error), cases[i].message));
        error_clear(&error);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_part),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_resume_another_disk),
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_closed_pipe),
        cmocka_unit_test(test_max_size),
        cmocka_unit_test(test_bad_headers),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
