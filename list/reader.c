/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The buffer has room for the longest chunk, with the check before it and its
 * own: the check is a digest of all of that, as it lies there. A chunk is first
 * walked to find its end and to check its records, then verified, then handed
 * out record by record. Bytes move only when the buffer ends within a chunk.
 */
#include "list/reader.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "list/check.h"
#include "list/record.h"

#define BUFFER_SIZE (LIST_MAX_CHUNK + LIST_WORD_SIZE + 2 * BLKHASH_MAX_MD_SIZE)

struct list_reader {
    int fd;
    const char *name;
    struct list_reader_options options;
    struct list_header header;
    struct list_check check;
    struct blkhash_root *root; /* NULL: there is no checksum to verify */

    unsigned char *buf;
    size_t len;      /* of buf */
    uint64_t offset; /* of buf in the file */
    bool at_eof;

    /* The chunk; places are in buf. */
    size_t start;  /* of what its check is a digest of */
    size_t first;  /* its first record, after the check before it */
    size_t walked; /* where the walk goes on; at the end, the check's word */
    size_t next;   /* the record to hand out next */

    /* What the walk has seen. */
    uint64_t blocks;       /* in all chunks so far */
    uint64_t max_blocks;   /* that the list can have */
    uint64_t whole_blocks; /* the same, without a short block at the end */
    const char *too_many;  /* the fault if there are more */
    uint64_t zero_end;     /* the number of the block after the last zeros */
    int last_kind;         /* of the record before, or -1 */

    /* What is left of the record that is handed out. */
    uint64_t run_left;
    const unsigned char *run_mds; /* NULL: zeros */

    struct list_point point; /* after the last chunk that was verified */
    bool broken;             /* the fault is one of the list, not of reading */
    bool finished;
};

/* --- faults --------------------------------------------------------------- */

/* A fault of the list. `at` is a place in buf. */
static int broken(struct list_reader *r, size_t at, struct error *error,
                  const char *what)
{
    r->broken = true;
    return error_set(error, EINVAL,
                     "%s: broken digest list: %s at offset %" PRIu64, r->name,
                     what, r->offset + at);
}

static int incomplete(struct list_reader *r, struct error *error)
{
    r->broken = true;
    return error_set(error, EINVAL,
                     "%s: incomplete digest list: it ends at offset %" PRIu64,
                     r->name, r->offset + r->len);
}

static int too_long(struct list_reader *r, uint64_t length, struct error *error)
{
    return error_set(error, EFBIG,
                     "%s: the disk has %" PRIu64
                     " bytes, more than --max-size allows",
                     r->name, length);
}

/* --- bytes ---------------------------------------------------------------- */

/* Drop what is before the chunk. */
static void make_room(struct list_reader *r)
{
    size_t shift = r->start;

    if (shift == 0)
        return;
    memmove(r->buf, r->buf + shift, r->len - shift);
    r->len -= shift;
    r->offset += shift;
    r->start -= shift;
    r->first -= shift;
    r->walked -= shift;
}

/* Read more bytes of the chunk. At the end of the file there are none. */
static int fill(struct list_reader *r, struct error *error)
{
    make_room(r);
    assert(r->len < BUFFER_SIZE);
    while (!r->at_eof) {
        ssize_t n = read(r->fd, r->buf + r->len, BUFFER_SIZE - r->len);

        if (n >= 0) {
            r->len += (size_t)n;
            r->at_eof = n == 0;
            return 0;
        }
        if (errno == EAGAIN)
            poll(&(struct pollfd){ .fd = r->fd, .events = POLLIN }, 1, -1);
        else if (errno != EINTR)
            return error_set(error, errno,
                             "%s: read error at offset %" PRIu64 ": %s",
                             r->name, r->offset + r->len, strerror(errno));
    }
    return 0;
}

/* Have at least `end` bytes from the start of the chunk on, which fit. */
static int need(struct list_reader *r, size_t end, struct error *error)
{
    while (r->len - r->start < end) {
        int err = fill(r, error);

        if (err)
            return err;
        if (r->at_eof)
            return incomplete(r, error);
    }
    return 0;
}

/* --- walking through a chunk ---------------------------------------------- */

/* Bytes of the chunk up to the record that is walked. */
static size_t used(const struct list_reader *r)
{
    return r->walked - r->first;
}

/* Have the whole record that is walked, of len bytes. */
static int need_record(struct list_reader *r, size_t len, struct error *error)
{
    if (len > LIST_MAX_CHUNK - used(r))
        return broken(r, r->walked, error,
                      "the distance of checks is more than 1 MiB");
    return need(r, r->walked - r->start + len, error);
}

/* The rules for both kinds of records that have blocks. */
static int walk_blocks(struct list_reader *r, enum list_record kind,
                       uint64_t count, struct error *error)
{
    uint64_t max = kind == LIST_ZERO ? r->whole_blocks : r->max_blocks;

    if (r->last_kind == LIST_END)
        return broken(r, r->walked, error, "a record after the end");
    if (count == 0)
        return broken(r, r->walked, error, "an empty record");
    if (r->last_kind == (int)kind)
        return broken(r, r->walked, error,
                      "two records of the same kind in a row");
    if (r->blocks > max || count > max - r->blocks)
        return broken(r, r->walked, error, r->too_many);
    r->blocks += count;
    if (kind == LIST_ZERO)
        r->zero_end = r->blocks;
    return 0;
}

static int walk_zero(struct list_reader *r, uint64_t count, struct error *error)
{
    int err = need_record(r, LIST_WORD_SIZE, error);

    if (!err)
        err = walk_blocks(r, LIST_ZERO, count, error);
    r->walked += LIST_WORD_SIZE;
    return err;
}

static int walk_digests(struct list_reader *r, uint64_t count,
                        struct error *error)
{
    const size_t md_size = r->check.md_size;
    const unsigned char *md;
    size_t len;
    int err;

    if (count > LIST_MAX_CHUNK / md_size)
        return broken(r, r->walked, error,
                      "the distance of checks is more than 1 MiB");
    len = LIST_WORD_SIZE + count * md_size;
    err = need_record(r, len, error);
    if (!err)
        err = walk_blocks(r, LIST_DIGESTS, count, error);
    if (err)
        return err;
    md = r->buf + r->walked + LIST_WORD_SIZE;
    for (size_t i = 0; i < count; i++) {
        if (memcmp(md + i * md_size, r->check.zero_md, md_size) == 0)
            return broken(r, r->walked, error,
                          "the digest of a block of zeros in a record");
    }
    r->walked += len;
    return 0;
}

/* Whether the list has all blocks of a disk of this length. */
static bool has_all(const struct list_reader *r, uint64_t length)
{
    const uint64_t size = r->header.block_size;

    return r->header.first_block == 0 &&
           r->blocks == length / size + (length % size != 0);
}

/* The end must fit the header and the records. */
static int walk_end_length(struct list_reader *r, uint64_t count,
                           uint64_t length, struct error *error)
{
    if (count != r->blocks)
        return broken(r, r->walked, error, "a wrong number of blocks");
    if (r->header.length != LIST_LENGTH_UNKNOWN) {
        if (length != r->header.length)
            return broken(r, r->walked, error,
                          "another length than in the header");
        return 0;
    }
    if (length > INT64_MAX || !has_all(r, length))
        return broken(r, r->walked, error,
                      "a length that does not fit the number of blocks");
    if (r->zero_end > length / r->header.block_size)
        return broken(r, r->walked, error, "a short block among zeros");
    if (r->options.max_size && length > r->options.max_size)
        return too_long(r, length, error);
    return 0;
}

static int walk_end(struct list_reader *r, uint64_t count, struct error *error)
{
    const size_t len = LIST_WORD_SIZE + 8;
    size_t md_len = 0;
    uint64_t length;
    int err = need_record(r, len, error);

    if (err)
        return err;
    if (r->last_kind == LIST_END)
        return broken(r, r->walked, error, "a record after the end");
    length = get_le64(r->buf + r->walked + LIST_WORD_SIZE);
    err = walk_end_length(r, count, length, error);
    if (err)
        return err;
    if (has_all(r, length))
        md_len = r->check.md_size;
    err = need_record(r, len + md_len, error);
    r->walked += len + md_len;
    return err;
}

/* Walk through the record that is next. kind becomes what it is. */
static int walk_record(struct list_reader *r, int *kind, struct error *error)
{
    uint64_t count;
    int err = need(r, r->walked - r->start + LIST_WORD_SIZE, error);

    if (err)
        return err;
    *kind = (int)list_word_kind(r->buf + r->walked);
    count = list_word_count(r->buf + r->walked);
    switch (*kind) {
    case LIST_ZERO:
        return walk_zero(r, count, error);
    case LIST_DIGESTS:
        return walk_digests(r, count, error);
    case LIST_END:
        return walk_end(r, count, error);
    }
    if (count)
        return broken(r, r->walked, error, "a check with a count");
    if (used(r) == 0)
        return broken(r, r->walked, error, "a check of nothing");
    return need(r, r->walked - r->start + LIST_WORD_SIZE + r->check.md_size,
                error);
}

/* --- chunks ----------------------------------------------------------------
 */

/* Verify the check whose word is where the walk has ended. */
static int verify(struct list_reader *r, struct error *error)
{
    const unsigned char *md = r->buf + r->walked + LIST_WORD_SIZE;
    unsigned char computed[BLKHASH_MAX_MD_SIZE];
    int err =
        list_check_compute(&r->check, r->buf + r->start,
                           r->walked + LIST_WORD_SIZE - r->start, computed);

    if (err)
        return error_set(error, err, "%s: cannot compute a check: %s", r->name,
                         strerror(err));
    if (memcmp(computed, md, r->check.md_size) != 0)
        return broken(r, r->walked, error, "a wrong check");
    r->point.blocks = r->blocks;
    r->point.offset = r->offset + r->walked + LIST_WORD_SIZE + r->check.md_size;
    memcpy(r->point.check, md, r->check.md_size);
    return 0;
}

/* After a chunk: the next begins with its check. */
static void go_on(struct list_reader *r)
{
    r->start = r->walked + LIST_WORD_SIZE;
    r->first = r->start + r->check.md_size;
    r->walked = r->first;
    r->last_kind = -1;
}

/* Read and verify the next chunk. */
static int load_chunk(struct list_reader *r, struct error *error)
{
    int kind = -1;
    int err;

    go_on(r);
    while (!(err = walk_record(r, &kind, error)) && kind != LIST_CHECK)
        r->last_kind = kind;
    if (!err)
        err = verify(r, error);
    r->next = r->first;
    return err;
}

/* The same, but an interrupted list that may be partial just ends. */
static int next_chunk(struct list_reader *r, struct error *error)
{
    struct error fault = ERROR_INIT;
    int err = load_chunk(r, &fault);

    if (err && r->broken && r->options.partial) {
        error_clear(&fault);
        r->finished = true;
        return 0;
    }
    if (err)
        error_move(error, &fault);
    return err;
}

/* --- the end ---------------------------------------------------------------
 */

static int verify_root(struct list_reader *r, const unsigned char *md,
                       struct error *error)
{
    struct sink_end *end = &r->point.end;
    unsigned char computed[BLKHASH_MAX_MD_SIZE];
    int err;

    end->md_len = (unsigned)r->check.md_size;
    memcpy(end->md, md, end->md_len);
    err = blkhash_root_final(r->root, end->length, computed, NULL);
    if (err)
        return error_set(error, err, "%s: cannot compute the checksum: %s",
                         r->name, strerror(err));
    if (memcmp(computed, md, end->md_len) != 0)
        return error_set(error, EINVAL,
                         "%s: broken digest list: its digests do not give its "
                         "checksum",
                         r->name);
    return 0;
}

/* The last record of the last chunk. */
static int read_end(struct list_reader *r, struct error *error)
{
    const unsigned char *p = r->buf + r->next + LIST_WORD_SIZE;
    int err = 0;

    r->point.end.length = get_le64(p);
    if (has_all(r, r->point.end.length))
        err = verify_root(r, p + 8, error);
    if (err)
        return err;
    r->point.ended = true;
    r->finished = true;
    if (r->options.partial)
        return 0;

    go_on(r);
    if (r->first == r->len)
        err = fill(r, error);
    if (!err && r->first < r->len)
        err = broken(r, r->first, error, "bytes after the end");
    return err;
}

/* --- handing out -----------------------------------------------------------
 */

/* Begin to hand out the next record of a verified chunk. */
static int begin_record(struct list_reader *r, struct error *error)
{
    const unsigned char *p = r->buf + r->next;

    switch (list_word_kind(p)) {
    case LIST_ZERO:
        r->run_left = list_word_count(p);
        r->run_mds = NULL;
        r->next += LIST_WORD_SIZE;
        return 0;
    case LIST_DIGESTS:
        r->run_left = list_word_count(p);
        r->run_mds = p + LIST_WORD_SIZE;
        r->next += LIST_WORD_SIZE + r->run_left * r->check.md_size;
        return 0;
    case LIST_END:
        return read_end(r, error);
    case LIST_CHECK:
        break;
    }
    return next_chunk(r, error);
}

static int add_to_root(struct list_reader *r, const struct list_run *run,
                       struct error *error)
{
    int err = 0;

    if (r->root && run->mds)
        err = blkhash_root_digests(r->root, run->mds, run->blocks);
    else if (r->root)
        err = blkhash_root_zero(r->root, run->blocks);
    if (err)
        return error_set(error, err, "%s: cannot compute the checksum: %s",
                         r->name, strerror(err));
    return 0;
}

int list_reader_next(struct list_reader *r, uint64_t max, struct list_run *run,
                     struct error *error)
{
    while (r->run_left == 0 && !r->finished) {
        int err = begin_record(r, error);

        if (err)
            return err;
    }
    *run = (struct list_run){ .blocks = r->run_left, .mds = r->run_mds };
    if (run->blocks == 0)
        return 0;
    if (max && run->blocks > max)
        run->blocks = max;
    r->run_left -= run->blocks;
    if (r->run_mds)
        r->run_mds += run->blocks * r->check.md_size;
    return add_to_root(r, run, error);
}

/* --- the header ------------------------------------------------------------
 */

/* Copy the source from the header, whose size is given. */
static int copy_source(struct list_reader *r, size_t size, struct error *error)
{
    r->header.source_len = size - LIST_FIXED_HEADER;
    r->header.source = malloc(r->header.source_len + 1);
    if (!r->header.source)
        return error_no_memory(error, r->name);
    memcpy(r->header.source, r->buf + LIST_FIXED_HEADER, r->header.source_len);
    r->header.source[r->header.source_len] = 0;
    return 0;
}

/* The header is the first chunk, and has no check before it. */
static int read_header(struct list_reader *r, struct error *error)
{
    size_t size;
    int err = need(r, LIST_FIXED_HEADER, error);

    if ((!err || r->broken) && !list_may_be_list(r->buf, r->len)) {
        r->broken = false;
        error_clear(error);
        return error_set(error, EINVAL, "%s: not a digest list", r->name);
    }
    if (err)
        return err;
    err = list_header_decode(r->buf, r->name, &r->header, &size, error);
    r->broken = err == EINVAL;
    if (!err)
        err = list_check_init(&r->check, &r->header, r->name, error);
    if (!err)
        err = need(r, size + LIST_WORD_SIZE + r->check.md_size, error);
    if (err)
        return err;
    r->walked = size;
    if (get_le64(r->buf + size) != (uint64_t)LIST_CHECK << LIST_KIND_SHIFT)
        return broken(r, size, error, "no check after the header,");
    err = verify(r, error);
    if (!err)
        err = copy_source(r, size, error);
    return err;
}

/* What the header says about the number of blocks. */
static int apply_header(struct list_reader *r, struct error *error)
{
    const struct list_header *h = &r->header;
    bool is_known = h->length != LIST_LENGTH_UNKNOWN;

    if (is_known && r->options.max_size && h->length > r->options.max_size)
        return too_long(r, h->length, error);
    r->max_blocks = r->whole_blocks = list_header_blocks_left(h);
    r->too_many = "more blocks than the disk has";
    if (!is_known && r->options.max_size) {
        uint64_t blocks = (r->options.max_size - 1) / h->block_size + 1;

        if (blocks < r->max_blocks) {
            r->max_blocks = r->whole_blocks = blocks;
            r->too_many = "more blocks than --max-size allows";
        }
    }
    if (is_known && h->length % h->block_size && r->whole_blocks > 0)
        r->whole_blocks--;
    if (h->first_block == 0) {
        r->root = blkhash_root_new(h->block_size, h->digest);
        if (!r->root)
            return error_set(error, errno, "%s: digest %s: %s", r->name,
                             h->digest, strerror(errno));
    }
    return 0;
}

int list_reader_new(int fd, const char *name,
                    const struct list_reader_options *options,
                    struct list_reader **reader, struct error *error)
{
    struct list_reader *r = calloc(1, sizeof(*r));
    int err;

    if (!r)
        return error_no_memory(error, name);
    r->fd = fd;
    r->name = name;
    r->options = *options;
    r->buf = malloc(BUFFER_SIZE);
    err = r->buf ? read_header(r, error) : error_no_memory(error, name);
    if (!err)
        err = apply_header(r, error);
    if (err) {
        if (r->broken && options->partial)
            err = error->code = ENODATA;
        list_reader_free(r);
        return err;
    }
    r->next = r->walked; /* at the check of the header */
    *reader = r;
    return 0;
}

void list_reader_free(struct list_reader *r)
{
    if (!r)
        return;
    blkhash_root_free(r->root);
    list_check_destroy(&r->check);
    free(r->header.source);
    free(r->buf);
    free(r);
}

/* --- what is known ---------------------------------------------------------
 */

const struct list_header *list_reader_header(const struct list_reader *r)
{
    return &r->header;
}

const char *list_reader_name(const struct list_reader *r)
{
    return r->name;
}

bool list_reader_is_ended(const struct list_reader *r)
{
    assert(r->finished && r->run_left == 0);
    return r->point.ended;
}

void list_reader_end(const struct list_reader *r, struct sink_end *end)
{
    assert(list_reader_is_ended(r));
    *end = r->point.end;
}

void list_reader_point(const struct list_reader *r, struct list_point *point)
{
    assert(r->finished);
    *point = r->point;
}
