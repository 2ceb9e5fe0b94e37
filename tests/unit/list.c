/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list that is written and read again: all of it, a part, cut, and damaged.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "list/reader.h"
#include "list/writer.h"

#define NAME "disk.blkhash"
#define MD 32
#define SOURCE "{\"format\":\"raw\"}"

/* With its check. */
#define HEADER_SIZE (LIST_FIXED_HEADER + sizeof(SOURCE) - 1 + 8 + MD)

/* What a list was made of: a letter for each block, 0 for zeros. */
struct disk {
    uint64_t block_size;
    uint64_t first_block;
    uint64_t length;
    size_t count; /* of blocks in the list */
    unsigned char *letters;
};

static unsigned char zero_md[MD];

static void letter_md(const struct disk *disk, size_t i, unsigned char *md)
{
    if (disk->letters[i] == 0)
        memcpy(md, zero_md, MD);
    else
        memset(md, disk->letters[i], MD);
}

static void disk_init(struct disk *disk, size_t count, uint64_t length)
{
    static unsigned char zeros[512];

    oracle_digest("sha256", zeros, sizeof(zeros), zero_md);
    *disk = (struct disk){
        .block_size = 512,
        .length = length,
        .count = count,
        .letters = malloc(count + 1),
    };
    random_mixture(disk->letters, count, 40);
}

static struct list_header header_of(const struct disk *disk)
{
    static char source[] = SOURCE;

    return (struct list_header){
        .block_size = disk->block_size,
        .first_block = disk->first_block,
        .length = disk->length,
        .digest = "sha256",
        .source = source,
        .source_len = strlen(source),
    };
}

static void checksum_of(const struct disk *disk, uint64_t length,
                        unsigned char *md)
{
    unsigned char *all = malloc(disk->count * MD + 8);

    for (size_t i = 0; i < disk->count; i++)
        letter_md(disk, i, all + i * MD);
    for (int i = 0; i < 8; i++)
        all[disk->count * MD + i] = length >> 8 * i & 0xff;
    oracle_digest("sha256", all, disk->count * MD + 8, md);
    free(all);
}

/* --- writing ---------------------------------------------------------------
 */

static int memory_file(void)
{
    int fd = memfd_create(NAME, MFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static struct list_writer *writer_new(int fd, const struct disk *disk)
{
    struct list_header header = header_of(disk);
    struct error error = ERROR_INIT;
    struct list_writer *w;

    if (list_writer_new(fd, NAME, &header, &w, &error))
        fail_msg("%s", error_message(&error));
    return w;
}

/* Give the writer blocks, in steps of at most `step`. Zeros come as zeros or as
 * digests. */
static void write_blocks(struct list_writer *w, const struct disk *disk,
                         size_t step)
{
    struct sink *sink = list_writer_sink(w);
    unsigned char *mds = malloc((step + 1) * MD);
    struct error error = ERROR_INIT;

    for (size_t i = 0; i < disk->count;) {
        bool zeros = disk->letters[i] == 0 && random_number() % 2;
        size_t n = 0;

        while (i + n < disk->count && n < step &&
               (!zeros || disk->letters[i + n] == 0)) {
            letter_md(disk, i + n, mds + n * MD);
            n++;
        }
        if (zeros)
            assert_int_equal(sink->zero(sink, n, &error), 0);
        else
            assert_int_equal(sink->digests(sink, mds, n, &error), 0);
        i += n;
    }
    free(mds);
}

static void write_end(struct list_writer *w, const struct disk *disk,
                      uint64_t length, bool whole)
{
    struct sink *sink = list_writer_sink(w);
    struct sink_end end = { .length = length };
    struct error error = ERROR_INIT;

    if (whole) {
        checksum_of(disk, length, end.md);
        end.md_len = MD;
    }
    assert_int_equal(sink->end(sink, &end, &error), 0);
}

/* Write a list of a whole disk. */
static int write_list(const struct disk *disk, size_t step, uint64_t length)
{
    int fd = memory_file();
    struct list_writer *w = writer_new(fd, disk);

    write_blocks(w, disk, step);
    write_end(w, disk, length, true);
    list_writer_free(w);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
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

        letter_md(disk, block + i, md);
        if (run->mds)
            assert_memory_equal(md, run->mds + i * MD, MD);
        else
            assert_memory_equal(md, zero_md, MD);
    }
}

/* Read a list. What is handed out must be that of the disk, if one is given. */
static struct found read_list(int fd, const struct disk *disk, bool partial,
                              uint64_t max)
{
    const struct list_reader_options options = { .partial = partial };
    struct error error = ERROR_INIT;
    struct list_reader *r = NULL;
    struct found found = { .blocks = 0 };
    struct list_run run = { .blocks = 1 };

    found.err = list_reader_new(fd, NAME, &options, &r, &error);
    while (!found.err && run.blocks > 0) {
        found.err = list_reader_next(r, max, &run, &error);
        if (found.err)
            break;
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
    int fd = memory_file();
    struct found found;

    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    found = read_list(fd, disk, partial, 0);
    close(fd);
    return found;
}

static unsigned char *content(int fd, size_t *len)
{
    off_t size = lseek(fd, 0, SEEK_END);
    unsigned char *bytes = malloc((size_t)size + 1);

    *len = (size_t)size;
    assert_int_equal(pread(fd, bytes, *len, 0), size);
    return bytes;
}

/* --- tests -----------------------------------------------------------------
 */

static void test_round_trip(void **state)
{
    static const struct {
        size_t count;
        uint64_t length, header_length;
    } cases[] = {
        { 0, 0, 0 },
        { 0, 0, LIST_LENGTH_UNKNOWN },
        { 1, 512, 512 },
        { 300, 300 * 512, 300 * 512 },
        { 300, 300 * 512, LIST_LENGTH_UNKNOWN },
        { 100000, 100000 * 512 - 3, 100000 * 512 - 3 },
        { 100000, 100000 * 512 - 3, LIST_LENGTH_UNKNOWN },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        unsigned char md[MD];
        struct disk disk;

        disk_init(&disk, cases[i].count, cases[i].header_length);
        if (cases[i].count)
            disk.letters[cases[i].count - 1] = 'x';
        checksum_of(&disk, cases[i].length, md);
        for (uint64_t max = 0; max < 1000; max = max * 3 + 1) {
            int fd =
                write_list(&disk, 1 + random_number() % 5000, cases[i].length);
            struct found found = read_list(fd, &disk, false, max);

            test_case("blocks %zu, length %lu, max %lu", cases[i].count,
                      (unsigned long)disk.length, (unsigned long)max);
            assert_string_equal(found.message, "");
            assert_int_equal(found.err, 0);
            assert_int_equal(found.blocks, disk.count);
            assert_true(found.ended);
            assert_int_equal(found.end.length, cases[i].length);
            assert_int_equal(found.end.md_len, MD);
            assert_memory_equal(found.end.md, md, MD);
            close(fd);
        }
        free(disk.letters);
    }
}

/* The records do not depend on the calls. */
static void test_same_bytes(void **state)
{
    unsigned char *bytes, *again;
    struct disk disk;
    size_t len, len_again;

    (void)state;
    disk_init(&disk, 90000, 90000 * 512);
    bytes = content(write_list(&disk, 90000, disk.length), &len);
    for (size_t step = 1; step < 90000; step *= 7) {
        int fd = write_list(&disk, step, disk.length);

        test_case("step %zu", step);
        again = content(fd, &len_again);
        assert_int_equal(len, len_again);
        assert_memory_equal(bytes, again, len);
        free(again);
        close(fd);
    }
    free(bytes);
    free(disk.letters);
}

static void test_part(void **state)
{
    struct disk disk;
    struct list_writer *w;
    struct found found;
    int fd = memory_file();

    (void)state;
    disk_init(&disk, 200, 1000 * 512 - 1);
    disk.first_block = 800;
    disk.letters[199] = 'x';
    w = writer_new(fd, &disk);
    write_blocks(w, &disk, 50);
    write_end(w, &disk, disk.length, false);
    list_writer_free(w);
    lseek(fd, 0, SEEK_SET);
    found = read_list(fd, &disk, false, 0);
    assert_string_equal(found.message, "");
    assert_int_equal(found.blocks, 200);
    assert_true(found.ended);
    assert_int_equal(found.end.length, disk.length);
    assert_int_equal(found.end.md_len, 0);
    close(fd);
    free(disk.letters);
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
    fd = write_list(&disk, 9, disk.length);
    bytes = content(fd, &len);
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
    free(disk.letters);
}

/* A list of several chunks, each of them written by the clock. */
static unsigned char *chunks_list(struct disk *disk, size_t *len);

/* A list of 1 MiB and more, and where its checks are. */
static void test_cut(void **state)
{
    struct disk disk;
    unsigned char *bytes;
    size_t len;

    (void)state;
    disk_init(&disk, 50, 50 * 512);
    bytes = chunks_list(&disk, &len);
    for (size_t cut = 0; cut < len; cut++) {
        for (size_t zeros = 0; zeros <= 100; zeros += 100) {
            unsigned char *damaged = calloc(1, len + zeros);
            struct found found;

            test_case("cut at %zu, zeros %zu", cut, zeros);
            memcpy(damaged, bytes, cut);
            found = read_bytes(damaged, cut + zeros, NULL, false);
            assert_int_not_equal(found.err, 0);
            found = read_bytes(damaged, cut + zeros, &disk, true);
            free(damaged);
            if (found.err) {
                assert_true(cut < HEADER_SIZE);
                assert_true(zeros || found.err == ENODATA);
                continue;
            }
            assert_false(found.ended);
            assert_int_equal(found.blocks, found.point.blocks);
            assert_true(found.point.offset <= cut);
            assert_memory_equal(found.point.check,
                                bytes + found.point.offset - MD, MD);
        }
    }
    free(bytes);
    free(disk.letters);
}

/* From each place where a list can be interrupted, it is written to its end. */
static void test_resume(void **state)
{
    struct disk disk;
    unsigned char *bytes;
    size_t len;

    (void)state;
    disk_init(&disk, 50, 50 * 512);
    bytes = chunks_list(&disk, &len);
    for (size_t cut = HEADER_SIZE; cut <= len; cut += 5) {
        struct list_header header = header_of(&disk);
        struct error error = ERROR_INIT;
        int fd = memory_file();
        struct list_writer *w;
        struct found found;

        test_case("cut at %zu", cut);
        assert_int_equal(write(fd, bytes, cut), cut);
        lseek(fd, 0, SEEK_SET);
        found = read_list(fd, &disk, true, 0);
        assert_int_equal(found.err, 0);
        assert_int_equal(found.ended, cut == len);
        assert_int_equal(
            list_writer_resume(fd, NAME, &header, &found.point, &w, &error), 0);
        write_blocks(w, &disk, 7);
        write_end(w, &disk, disk.length, true);
        list_writer_free(w);
        lseek(fd, 0, SEEK_SET);
        found = read_list(fd, &disk, false, 0);
        assert_string_equal(found.message, "");
        assert_int_equal(found.blocks, disk.count);
        close(fd);
    }
    free(bytes);
    free(disk.letters);
}

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

static unsigned char *chunks_list(struct disk *disk, size_t *len)
{
    int fd = memory_file();
    struct list_writer *w = writer_new(fd, disk);
    struct disk some = *disk;
    unsigned char *bytes;

    for (size_t i = 0; i < disk->count; i += 10) {
        some.letters = disk->letters + i;
        some.count = 10;
        seconds_later += LIST_FLUSH_SECONDS;
        write_blocks(w, &some, 10);
    }
    write_end(w, disk, disk->length, true);
    list_writer_free(w);
    bytes = content(fd, len);
    close(fd);
    return bytes;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_part),       cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_cut),        cmocka_unit_test(test_resume),
    };

    return RUN_TESTS(tests, NULL, NULL);
}
