/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The buffer has the check before the chunk, then the records of the chunk: the
 * message that its own check is a digest of. A record that can still grow is
 * the last one.
 */
#include "list/writer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/write.h"
#include "list/check.h"
#include "list/chunk.h"
#include "list/record.h"

#define BUFFER_SIZE (LIST_MAX_CHUNK + LIST_WORD_SIZE + 2 * BLKHASH_MAX_MD_SIZE)

struct list_writer {
    struct sink sink; /* the first member */
    int fd;
    const char *name;
    uint64_t block_size;
    uint64_t length; /* or LIST_LENGTH_UNKNOWN */
    uint64_t first_block;
    uint64_t blocks_left; /* of the disk, that can still come */
    uint64_t blocks;      /* that came */
    uint64_t skip;        /* blocks that come again: they are written */
    bool ended;           /* the end is written... */
    struct sink_end end;  /* ...and says this */
    struct list_check check;

    unsigned char *buf;
    size_t start;  /* of the chunk in buf, after the check before it */
    size_t len;    /* of buf */
    size_t record; /* where the last record begins; 0: the chunk is empty */

    bool is_file;
    int64_t check_ms; /* when the last check was written */
    int64_t sync_ms;  /* when the file was synced */
};

/* --- output ----------------------------------------------------------- */

static int write_error(struct list_writer *w, int err, struct error *error)
{
    return error_set(error, err, "%s: write error: %s", w->name, strerror(err));
}

static int write_bytes(struct list_writer *w, const unsigned char *p,
                       size_t len, struct error *error)
{
    int err = write_all(w->fd, p, len);

    return err ? write_error(w, err, error) : 0;
}

static int sync_data(struct list_writer *w, struct error *error)
{
    w->sync_ms = clock_ms();
    if (w->is_file && fdatasync(w->fd))
        return write_error(w, errno, error);
    return 0;
}

/* --- chunks ----------------------------------------------------------- */

/* End the chunk with its check, and write it. */
static int cut(struct list_writer *w, struct error *error)
{
    unsigned char *md;
    int err;

    list_word_put(w->buf + w->len, LIST_CHECK, 0);
    w->len += LIST_WORD_SIZE;
    md = w->buf + w->len;
    err = list_check_compute(&w->check, w->buf, w->len, md);
    if (err)
        return error_set(error, err, "%s: cannot compute a check: %s", w->name,
                         strerror(err));
    w->len += w->check.md_size;
    err = write_bytes(w, w->buf + w->start, w->len - w->start, error);
    if (err)
        return err;

    w->start = w->check.md_size;
    memmove(w->buf, md, w->start);
    w->len = w->start;
    w->record = 0;
    w->check_ms = clock_ms();
    return 0;
}

/* The list has its end, but what comes is not what it has. */
static int other_disk(const struct list_writer *w, struct error *error)
{
    return error_set(error, EINVAL, "%s: this list is one of another disk",
                     w->name);
}

/* Before records: cut a chunk whose records would otherwise wait for too long.
 */
static int cut_in_time(struct list_writer *w, struct error *error)
{
    int64_t now = clock_ms();
    int err = 0;

    if (w->ended)
        return other_disk(w, error);
    if (w->record && now - w->check_ms >= LIST_FLUSH_SECONDS * 1000)
        err = cut(w, error);
    if (!err && now - w->sync_ms >= LIST_FLUSH_SECONDS * 1000)
        err = sync_data(w, error);
    return err;
}

static size_t room(const struct list_writer *w)
{
    return LIST_MAX_CHUNK - (w->len - w->start);
}

/* Begin a record, which has a count of 0 so far, and len bytes at least. */
static int begin_record(struct list_writer *w, enum list_record kind,
                        size_t len, struct error *error)
{
    if (room(w) < len) {
        int err = cut(w, error);

        if (err)
            return err;
    }
    w->record = w->len;
    list_word_put(w->buf + w->len, kind, 0);
    w->len += LIST_WORD_SIZE;
    return 0;
}

/* Make the last record one of a kind that has room for len more bytes. */
static int need_record(struct list_writer *w, enum list_record kind, size_t len,
                       struct error *error)
{
    if (w->record && list_word_kind(w->buf + w->record) == kind &&
        room(w) >= len)
        return 0;
    return begin_record(w, kind, LIST_WORD_SIZE + len, error);
}

/* Add to the last record, which has room for it. */
static void grow(struct list_writer *w, const unsigned char *mds,
                 uint64_t count)
{
    unsigned char *word = w->buf + w->record;

    list_word_put(word, list_word_kind(word), list_word_count(word) + count);
    if (mds) {
        memcpy(w->buf + w->len, mds, count * w->check.md_size);
        w->len += count * w->check.md_size;
    }
}

/* --- records ---------------------------------------------------------- */

static int put_zeros(struct list_writer *w, uint64_t count, struct error *error)
{
    int err = need_record(w, LIST_ZERO, 0, error);

    if (!err)
        grow(w, NULL, count);
    return err;
}

static int put_digests(struct list_writer *w, const unsigned char *mds,
                       size_t count, struct error *error)
{
    const size_t md_size = w->check.md_size;

    while (count > 0) {
        int err = need_record(w, LIST_DIGESTS, md_size, error);
        size_t n = room(w) / md_size;

        if (err)
            return err;
        if (n > count)
            n = count;
        grow(w, mds, n);
        mds += n * md_size;
        count -= n;
    }
    return 0;
}

/* How many digests in a row are those of zero blocks, or are not. */
static size_t alike(const struct list_writer *w, const unsigned char *mds,
                    size_t count, bool *zero)
{
    const size_t md_size = w->check.md_size;
    size_t n = 1;

    *zero = list_check_is_zero(&w->check, mds);
    while (n < count &&
           list_check_is_zero(&w->check, mds + n * md_size) == *zero)
        n++;
    return n;
}

/* --- the sink --------------------------------------------------------- */

/* Count blocks that come; returns how many of them are written already. */
static uint64_t come(struct list_writer *w, uint64_t count)
{
    uint64_t skipped = count < w->skip ? count : w->skip;

    assert(count <= w->blocks_left);
    w->blocks_left -= count;
    w->blocks += count;
    w->skip -= skipped;
    return skipped;
}

static int writer_zero(struct sink *sink, uint64_t blocks, struct error *error)
{
    struct list_writer *w = (struct list_writer *)sink;
    int err;

    blocks -= come(w, blocks);
    if (blocks == 0)
        return 0;
    err = cut_in_time(w, error);
    return err ? err : put_zeros(w, blocks, error);
}

static int writer_digests(struct sink *sink, const unsigned char *mds,
                          size_t count, struct error *error)
{
    struct list_writer *w = (struct list_writer *)sink;
    size_t skipped = (size_t)come(w, count);
    int err = 0;

    mds += skipped * w->check.md_size;
    count -= skipped;
    if (count > 0)
        err = cut_in_time(w, error);
    while (!err && count > 0) {
        bool zero;
        size_t n = alike(w, mds, count, &zero);

        err = zero ? put_zeros(w, n, error) : put_digests(w, mds, n, error);
        mds += n * w->check.md_size;
        count -= n;
    }
    return err;
}

/* The list has its end: it must be the same. */
static int compare_end(const struct list_writer *w, const struct sink_end *end,
                       struct error *error)
{
    if (w->skip == 0 && end->length == w->end.length &&
        end->md_len == w->end.md_len &&
        memcmp(end->md, w->end.md, end->md_len) == 0)
        return 0;
    return other_disk(w, error);
}

static int write_end(struct list_writer *w, const struct sink_end *end,
                     struct error *error)
{
    int err =
        begin_record(w, LIST_END, LIST_WORD_SIZE + 8 + end->md_len, error);

    if (err)
        return err;
    list_word_put(w->buf + w->record, LIST_END, w->blocks);
    put_le64(w->buf + w->len, end->length);
    w->len += 8;
    memcpy(w->buf + w->len, end->md, end->md_len);
    w->len += end->md_len;
    return cut(w, error);
}

/* Whether the blocks that came are all of a disk of this length. */
static bool has_all(const struct list_writer *w, uint64_t length)
{
    return w->first_block == 0 &&
           w->blocks == length / w->block_size + (length % w->block_size != 0);
}

static int writer_end(struct sink *sink, struct sink_end *end,
                      struct error *error)
{
    struct list_writer *w = (struct list_writer *)sink;
    int err;

    if (w->ended)
        return compare_end(w, end, error);
    assert(w->length == LIST_LENGTH_UNKNOWN || w->length == end->length);
    assert((end->md_len == w->check.md_size) == has_all(w, end->length));
    err = write_end(w, end, error);
    if (!err && w->is_file && fsync(w->fd))
        err = write_error(w, errno, error);
    return err;
}

/* --- verification ------------------------------------------------------ */

/* Each check stands for all bytes before it, so the last one for the list. */
static int read_back(const struct list_writer *w, struct list_chunk *c,
                     const char *part, struct error *error)
{
    int err = list_chunk_init(c, w->fd, part, 0, error);

    while (!err && c->last_kind != LIST_END)
        err = list_chunk_next(c, error);
    if (!err && memcmp(c->point.check, w->buf, w->check.md_size) != 0)
        err = EINVAL;
    return err ? err : list_chunk_check_eof(c, error);
}

static bool is_fault_of_list(const struct list_chunk *c, int err)
{
    return !c->read_failed && (err == EINVAL || err == ENOTSUP || err == EFBIG);
}

int list_writer_verify(const struct list_writer *w, const char *part,
                       struct error *error)
{
    struct error fault = ERROR_INIT;
    struct list_chunk c;
    int err;

    if (lseek(w->fd, 0, SEEK_SET) < 0)
        return error_set(error, errno, "%s: %s", part, strerror(errno));
    err = read_back(w, &c, part, &fault);
    list_chunk_destroy(&c);
    if (is_fault_of_list(&c, err))
        err = error_set(error, ESTALE, "%s: was changed while it was written",
                        part);
    else
        error_move(error, &fault);
    error_clear(&fault);
    return err;
}

/* --- begin and end of a writer ---------------------------------------- */

/* NULL: the error is set. */
static struct list_writer *writer_alloc(int fd, const char *name,
                                        const struct list_header *header,
                                        struct error *error)
{
    struct list_writer *w;
    struct stat st;

    if (list_header_check(header, name, error))
        return NULL;
    w = calloc(1, sizeof(*w));
    if (w)
        w->buf = malloc(BUFFER_SIZE);
    if (!w || !w->buf) {
        free(w);
        error_no_memory(error, name);
        return NULL;
    }
    w->sink = (struct sink){
        .zero = writer_zero,
        .digests = writer_digests,
        .end = writer_end,
    };
    w->fd = fd;
    w->name = name;
    w->block_size = header->block_size;
    w->length = header->length;
    w->first_block = header->first_block;
    w->blocks_left = list_header_blocks_left(header);
    w->is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    w->check_ms = w->sync_ms = clock_ms();
    if (list_check_init(&w->check, header, name, error)) {
        list_writer_free(w);
        return NULL;
    }
    return w;
}

int list_writer_new(int fd, const char *name, const struct list_header *header,
                    struct list_writer **writer, struct error *error)
{
    struct list_writer *w = writer_alloc(fd, name, header, error);
    int err;

    if (!w)
        return error->code;
    list_header_encode(header, w->buf);
    w->len = list_header_size(header);
    err = cut(w, error);
    if (err)
        list_writer_free(w);
    else
        *writer = w;
    return err;
}

int list_writer_resume(int fd, const char *name,
                       const struct list_header *header,
                       const struct list_point *point,
                       struct list_writer **writer, struct error *error)
{
    struct list_writer *w = writer_alloc(fd, name, header, error);

    if (!w)
        return error->code;
    w->start = w->len = w->check.md_size;
    memcpy(w->buf, point->check, w->len);
    w->skip = point->blocks;
    w->ended = point->ended;
    w->end = point->end;
    if (ftruncate(fd, (off_t)point->offset) ||
        lseek(fd, (off_t)point->offset, SEEK_SET) < 0) {
        write_error(w, errno, error);
        list_writer_free(w);
        return error->code;
    }
    *writer = w;
    return 0;
}

struct sink *list_writer_sink(struct list_writer *writer)
{
    return &writer->sink;
}

void list_writer_free(struct list_writer *writer)
{
    if (!writer)
        return;
    list_check_destroy(&writer->check);
    free(writer->buf);
    free(writer);
}
