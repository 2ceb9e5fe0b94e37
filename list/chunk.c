/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list/chunk.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/read.h"
#include "list/record.h"

#define BUFFER_SIZE (LIST_MAX_CHUNK + LIST_WORD_SIZE + 2 * BLKHASH_MAX_MD_SIZE)

/* --- faults ------------------------------------------------------------ */

/* A fault of the list. `at` is a place in buf. */
static int broken(struct list_chunk *c, size_t at, struct error *error,
                  const char *what)
{
    c->broken = true;
    return error_set(error, EINVAL,
                     "%s: broken digest list: %s at offset %" PRIu64, c->name,
                     what, c->offset + at);
}

static int incomplete(struct list_chunk *c, struct error *error)
{
    c->broken = true;
    return error_set(error, EINVAL,
                     "%s: incomplete digest list: it ends at offset %" PRIu64,
                     c->name, c->offset + c->len);
}

static int too_long(struct list_chunk *c, uint64_t length, struct error *error)
{
    return error_set(error, EFBIG,
                     "%s: the disk has %" PRIu64
                     " bytes, more than --max-size allows",
                     c->name, length);
}

/* --- bytes ------------------------------------------------------------- */

/* Drop what is before the chunk. */
static void make_room(struct list_chunk *c)
{
    size_t shift = c->start;

    if (shift == 0)
        return;
    memmove(c->buf, c->buf + shift, c->len - shift);
    c->len -= shift;
    c->offset += shift;
    c->start -= shift;
    c->first -= shift;
    c->walked -= shift;
}

/* Read more bytes of the chunk, at most max. At the end of the file there are
 * none. */
static int read_more(struct list_chunk *c, size_t max, struct error *error)
{
    ssize_t n;

    if (c->at_eof)
        return 0;
    n = read_wait(c->fd, c->buf + c->len, max);
    c->read_failed = n < 0;
    if (n < 0)
        return error_set(error, errno,
                         "%s: read error at offset %" PRIu64 ": %s", c->name,
                         c->offset + c->len, strerror(errno));
    c->len += (size_t)n;
    c->at_eof = n == 0;
    return 0;
}

/* Read as much as the buffer holds. */
static int fill(struct list_chunk *c, struct error *error)
{
    make_room(c);
    assert(c->len < BUFFER_SIZE);
    return read_more(c, BUFFER_SIZE - c->len, error);
}

/* Have at least `end` bytes from the start of the chunk on, which fit. */
static int need(struct list_chunk *c, size_t end, struct error *error)
{
    while (c->len - c->start < end) {
        int err = fill(c, error);

        if (err)
            return err;
        if (c->at_eof)
            return incomplete(c, error);
    }
    return 0;
}

/* The same for the header, but read no more. Many lists may be open, each of
 * which takes memory only when it is read. */
static int need_of_header(struct list_chunk *c, size_t end, struct error *error)
{
    while (c->len < end) {
        int err = read_more(c, end - c->len, error);

        if (err)
            return err;
        if (c->at_eof)
            return incomplete(c, error);
    }
    return 0;
}

/* --- walking through a chunk ------------------------------------------- */

/* Bytes of the chunk up to the record that is walked. */
static size_t used(const struct list_chunk *c)
{
    return c->walked - c->first;
}

/* Have the whole record that is walked, of len bytes. */
static int need_record(struct list_chunk *c, size_t len, struct error *error)
{
    if (len > LIST_MAX_CHUNK - used(c))
        return broken(c, c->walked, error,
                      "the distance of checks is more than 1 MiB");
    return need(c, c->walked - c->start + len, error);
}

/* The rules for both kinds of records that have blocks. */
static int walk_blocks(struct list_chunk *c, enum list_record kind,
                       uint64_t count, struct error *error)
{
    uint64_t max = kind == LIST_ZERO ? c->whole_blocks : c->max_blocks;

    if (c->last_kind == LIST_END)
        return broken(c, c->walked, error, "a record after the end");
    if (count == 0)
        return broken(c, c->walked, error, "an empty record");
    if (c->last_kind == (int)kind)
        return broken(c, c->walked, error,
                      "two records of the same kind in a row");
    if (c->blocks > max || count > max - c->blocks)
        return broken(c, c->walked, error, c->too_many);
    c->blocks += count;
    if (kind == LIST_ZERO)
        c->zero_end = c->blocks;
    return 0;
}

static int walk_zero(struct list_chunk *c, uint64_t count, struct error *error)
{
    int err = need_record(c, LIST_WORD_SIZE, error);

    if (!err)
        err = walk_blocks(c, LIST_ZERO, count, error);
    c->walked += LIST_WORD_SIZE;
    return err;
}

static int walk_digests(struct list_chunk *c, uint64_t count,
                        struct error *error)
{
    const size_t md_size = c->check.md_size;
    const unsigned char *md;
    size_t len;
    int err;

    if (count > LIST_MAX_CHUNK / md_size)
        return broken(c, c->walked, error,
                      "the distance of checks is more than 1 MiB");
    len = LIST_WORD_SIZE + count * md_size;
    err = need_record(c, len, error);
    if (!err)
        err = walk_blocks(c, LIST_DIGESTS, count, error);
    if (err)
        return err;
    md = c->buf + c->walked + LIST_WORD_SIZE;
    for (size_t i = 0; i < count; i++) {
        if (list_check_is_zero(&c->check, md + i * md_size))
            return broken(c, c->walked, error,
                          "the digest of a block of zeros in a record");
    }
    c->walked += len;
    return 0;
}

bool list_chunk_has_all(const struct list_chunk *c, uint64_t length)
{
    const uint64_t size = c->header.block_size;

    return c->header.first_block == 0 &&
           c->blocks == length / size + (length % size != 0);
}

/* The end must fit the header and the records. */
static int walk_end_length(struct list_chunk *c, uint64_t count,
                           uint64_t length, struct error *error)
{
    if (count != c->blocks)
        return broken(c, c->walked, error, "a wrong number of blocks");
    if (c->header.length != LIST_LENGTH_UNKNOWN) {
        if (length != c->header.length)
            return broken(c, c->walked, error,
                          "another length than in the header");
        return 0;
    }
    if (length > INT64_MAX || !list_chunk_has_all(c, length))
        return broken(c, c->walked, error,
                      "a length that does not fit the number of blocks");
    if (c->zero_end > length / c->header.block_size)
        return broken(c, c->walked, error, "a short block among zeros");
    if (c->max_size && length > c->max_size)
        return too_long(c, length, error);
    return 0;
}

static int walk_end(struct list_chunk *c, uint64_t count, struct error *error)
{
    const size_t len = LIST_WORD_SIZE + 8;
    size_t md_len = 0;
    uint64_t length;
    int err = need_record(c, len, error);

    if (err)
        return err;
    if (c->last_kind == LIST_END)
        return broken(c, c->walked, error, "a record after the end");
    length = get_le64(c->buf + c->walked + LIST_WORD_SIZE);
    err = walk_end_length(c, count, length, error);
    if (err)
        return err;
    if (list_chunk_has_all(c, length))
        md_len = c->check.md_size;
    err = need_record(c, len + md_len, error);
    c->walked += len + md_len;
    return err;
}

/* Walk through the record that is next. kind becomes what it is. */
static int walk_record(struct list_chunk *c, int *kind, struct error *error)
{
    uint64_t count;
    int err = need(c, c->walked - c->start + LIST_WORD_SIZE, error);

    if (err)
        return err;
    *kind = (int)list_word_kind(c->buf + c->walked);
    count = list_word_count(c->buf + c->walked);
    switch (*kind) {
    case LIST_ZERO:
        return walk_zero(c, count, error);
    case LIST_DIGESTS:
        return walk_digests(c, count, error);
    case LIST_END:
        return walk_end(c, count, error);
    }
    if (count)
        return broken(c, c->walked, error, "a check with a count");
    if (used(c) == 0)
        return broken(c, c->walked, error, "a check of nothing");
    return need(c, c->walked - c->start + LIST_WORD_SIZE + c->check.md_size,
                error);
}

/* --- chunks ---------------------------------------------------------- */

/* Verify the check whose word is where the walk has ended. */
static int verify(struct list_chunk *c, struct error *error)
{
    const unsigned char *md = c->buf + c->walked + LIST_WORD_SIZE;
    unsigned char computed[BLKHASH_MAX_MD_SIZE];
    int err =
        list_check_compute(&c->check, c->buf + c->start,
                           c->walked + LIST_WORD_SIZE - c->start, computed);

    if (err)
        return error_set(error, err, "%s: cannot compute a check: %s", c->name,
                         strerror(err));
    if (memcmp(computed, md, c->check.md_size) != 0)
        return broken(c, c->walked, error, "a wrong check");
    c->point.blocks = c->blocks;
    c->point.offset = c->offset + c->walked + LIST_WORD_SIZE + c->check.md_size;
    memcpy(c->point.check, md, c->check.md_size);
    return 0;
}

/* After a chunk: the next begins with its check. */
static void go_on(struct list_chunk *c)
{
    c->start = c->walked + LIST_WORD_SIZE;
    c->first = c->start + c->check.md_size;
    c->walked = c->first;
    c->last_kind = -1;
}

int list_chunk_next(struct list_chunk *c, struct error *error)
{
    int kind = -1;
    int err;

    go_on(c);
    while (!(err = walk_record(c, &kind, error)) && kind != LIST_CHECK)
        c->last_kind = kind;
    if (!err)
        err = verify(c, error);
    return err;
}

int list_chunk_check_eof(struct list_chunk *c, struct error *error)
{
    int err = 0;

    go_on(c);
    if (c->first == c->len)
        err = fill(c, error);
    if (!err && c->first < c->len)
        err = broken(c, c->first, error, "bytes after the end");
    if (!err) {
        free(c->buf);
        c->buf = NULL;
    }
    return err;
}

/* --- the header ------------------------------------------------------ */

/* Copy the source from the header, whose size is given. */
static int copy_source(struct list_chunk *c, size_t size, struct error *error)
{
    c->header.source_len = size - LIST_FIXED_HEADER;
    c->header.source = malloc(c->header.source_len + 1);
    if (!c->header.source)
        return error_no_memory(error, c->name);
    memcpy(c->header.source, c->buf + LIST_FIXED_HEADER, c->header.source_len);
    c->header.source[c->header.source_len] = 0;
    return 0;
}

/* The header is the first chunk, and has no check before it. */
static int read_header(struct list_chunk *c, struct error *error)
{
    size_t size;
    int err = need_of_header(c, LIST_FIXED_HEADER, error);

    if ((!err || c->broken) && !list_may_be_list(c->buf, c->len)) {
        c->broken = false;
        error_clear(error);
        return error_set(error, EINVAL, "%s: not a digest list", c->name);
    }
    if (err)
        return err;
    err = list_header_decode(c->buf, c->name, &c->header, &size, error);
    c->broken = err == EINVAL;
    if (!err)
        err = list_check_init(&c->check, &c->header, c->name, error);
    if (!err)
        err =
            need_of_header(c, size + LIST_WORD_SIZE + c->check.md_size, error);
    if (err)
        return err;
    c->walked = size;
    if (get_le64(c->buf + size) != (uint64_t)LIST_CHECK << LIST_KIND_SHIFT)
        return broken(c, size, error, "no check after the header,");
    err = verify(c, error);
    if (!err)
        err = copy_source(c, size, error);
    return err;
}

/* What the header says about the number of blocks. */
static int apply_header(struct list_chunk *c, struct error *error)
{
    const struct list_header *h = &c->header;
    bool is_known = h->length != LIST_LENGTH_UNKNOWN;

    if (is_known && c->max_size && h->length > c->max_size)
        return too_long(c, h->length, error);
    c->max_blocks = c->whole_blocks = list_header_blocks_left(h);
    c->too_many = "more blocks than the disk has";
    if (!is_known && c->max_size) {
        uint64_t blocks = (c->max_size - 1) / h->block_size + 1;

        if (blocks < c->max_blocks) {
            c->max_blocks = c->whole_blocks = blocks;
            c->too_many = "more blocks than --max-size allows";
        }
    }
    if (is_known && h->length % h->block_size && c->whole_blocks > 0)
        c->whole_blocks--;
    return 0;
}

int list_chunk_init(struct list_chunk *c, int fd, const char *name,
                    uint64_t max_size, struct error *error)
{
    int err;

    *c = (struct list_chunk){
        .fd = fd,
        .name = name,
        .max_size = max_size,
        .buf = malloc(BUFFER_SIZE),
    };
    err = c->buf ? read_header(c, error) : error_no_memory(error, name);
    if (!err)
        err = apply_header(c, error);
    return err;
}

void list_chunk_destroy(struct list_chunk *c)
{
    list_check_destroy(&c->check);
    free(c->header.source);
    free(c->buf);
}
