/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a digest list. Without the right checks and checksum, little of
 * a list is looked at, so they are computed here. The first byte says
 * otherwise, or that the list may be partial. What is read from a list is
 * written again, and must be the same then.
 */
#include "fuzz.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "list/check.h"
#include "list/reader.h"
#include "list/record.h"
#include "list/writer.h"

#define MAX_INPUT (256 << 10)
#define MAX_OUTPUT (2 * MAX_INPUT)

/* Zeros are hashed, too: each block for the checksum. */
#define MAX_DISK (1 << 20)

/* Bits of the first byte. */
#define NO_CHECKS 1
#define PARTIAL 2

#define NAME "list"

/* --- right checks ----------------------------------------------------------
 */

/* A list whose checks are set from front to back. */
struct repair {
    unsigned char *list;
    size_t len;
    struct list_header header;
    struct list_check check;
    struct blkhash_root *root;
    size_t start; /* of what the next check is a digest of */
};

/* How many bytes a record has after its word; SIZE_MAX: it is cut. */
static size_t record_len(struct repair *r, size_t at)
{
    const size_t md_size = r->check.md_size;
    const uint64_t count = list_word_count(r->list + at);
    const size_t left = r->len - at - LIST_WORD_SIZE;

    switch (list_word_kind(r->list + at)) {
    case LIST_ZERO:
        if (count <= MAX_DISK)
            (void)blkhash_root_zero(r->root, count);
        return 0;
    case LIST_DIGESTS:
        if (count > left / md_size)
            return SIZE_MAX;
        (void)blkhash_root_digests(r->root, r->list + at + LIST_WORD_SIZE,
                                   count);
        return count * md_size;
    case LIST_CHECK:
        return left < md_size ? SIZE_MAX : md_size;
    case LIST_END:
        break;
    }
    if (left < 8 + md_size)
        return left < 8 ? SIZE_MAX : 8;
    return blkhash_root_final(r->root, get_le64(r->list + at + LIST_WORD_SIZE),
                              r->list + at + LIST_WORD_SIZE + 8, NULL)
               ? 8
               : 8 + md_size;
}

static void set_checks(struct repair *r, size_t at)
{
    while (at <= r->len - LIST_WORD_SIZE) {
        size_t len = record_len(r, at);

        if (len > r->len - at - LIST_WORD_SIZE)
            return;
        if (list_word_kind(r->list + at) == LIST_CHECK) {
            size_t end = at + LIST_WORD_SIZE;

            require(list_check_compute(&r->check, r->list + r->start,
                                       end - r->start, r->list + end) == 0);
            r->start = end;
        }
        at += LIST_WORD_SIZE + len;
    }
}

static void repair(unsigned char *list, size_t len)
{
    struct repair r = { .list = list, .len = len };
    struct error error = ERROR_INIT;
    size_t size;

    if (len >= LIST_FIXED_HEADER &&
        !list_header_decode(list, NAME, &r.header, &size, &error) &&
        size + LIST_WORD_SIZE <= len &&
        !list_check_init(&r.check, &r.header, NAME, &error)) {
        r.root = blkhash_root_new(r.header.block_size, r.header.digest);
        require(r.root);
        set_checks(&r, size);
    }
    error_clear(&error);
    blkhash_root_free(r.root);
    list_check_destroy(&r.check);
}

/* --- reading and writing ---------------------------------------------------
 */

static int file_of(const unsigned char *bytes, size_t len)
{
    int fd = memfd_create(NAME, MFD_CLOEXEC);

    require(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    require(lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static bool copy_blocks(struct list_reader *r, struct sink *sink, uint64_t max)
{
    const struct list_header *header = list_reader_header(r);
    uint64_t left = list_header_blocks_left(header);
    struct error error = ERROR_INIT;
    struct list_run run;
    int err;

    while (!(err = list_reader_next(r, max, &run, &error)) && run.blocks) {
        require(run.blocks <= left && (!max || run.blocks <= max));
        left -= run.blocks;
        err = run.mds ? sink->digests(sink, run.mds, run.blocks, &error)
                      : sink->zero(sink, run.blocks, &error);
        require(!err);
    }
    require(!err || (error.code == err && *error_message(&error)));
    error_clear(&error);
    return !err;
}

static bool copy_list(struct list_reader *r, int out, uint64_t max)
{
    struct error error = ERROR_INIT;
    struct list_writer *w;
    struct sink_end end;
    bool ok;

    require(!list_writer_new(out, NAME, list_reader_header(r), &w, &error));
    ok = copy_blocks(r, list_writer_sink(w), max);
    if (ok && list_reader_is_ended(r)) {
        list_reader_end(r, &end);
        require(!list_writer_sink(w)->end(list_writer_sink(w), &end, &error));
    }
    list_writer_free(w);
    return ok;
}

/* Read a list, in runs of at most max blocks, and write it again. Returns the
 * length of what is written, 0 if the list is refused. */
static size_t copy(const unsigned char *list, size_t len, bool partial,
                   uint64_t max, unsigned char *copied)
{
    const struct list_reader_options options = { .partial = partial,
                                                 .max_size = MAX_DISK };
    int in = file_of(list, len), out = file_of(NULL, 0);
    struct error error = ERROR_INIT;
    struct list_reader *r;
    ssize_t n = 0;

    if (list_reader_new(in, NAME, &options, &r, &error)) {
        require(error.code && *error_message(&error));
        error_clear(&error);
    } else {
        if (copy_list(r, out, max))
            n = pread(out, copied, MAX_OUTPUT, 0);
        list_reader_free(r);
    }
    close(in);
    close(out);
    require(n >= 0 && n < MAX_OUTPUT);
    return (size_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char list[MAX_INPUT], first[MAX_OUTPUT], again[MAX_OUTPUT];
    size_t len, first_len;
    bool partial;

    if (size < 1 || size > MAX_INPUT)
        return 0;
    len = size - 1;
    memcpy(list, data + 1, len);
    if (!(data[0] & NO_CHECKS))
        repair(list, len);
    partial = data[0] & PARTIAL;

    first_len = copy(list, len, partial, 0, first);
    require(copy(list, len, partial, 7, again) == first_len);
    require(memcmp(first, again, first_len) == 0);
    if (first_len == 0 || partial)
        return 0;
    /* A writer may have made more chunks, but not less, nor other records. */
    require(first_len <= len);
    require(first_len < len || memcmp(first, list, len) == 0);
    require(copy(first, first_len, false, 0, again) == first_len);
    require(memcmp(first, again, first_len) == 0);
    return 0;
}
