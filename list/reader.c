/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list/reader.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "list/chunk.h"
#include "list/record.h"

struct list_reader {
    struct list_chunk chunk;
    bool partial;
    struct blkhash_root *root; /* NULL: there is no checksum to verify */

    size_t next; /* the record in the chunk that is handed out next */

    /* What is left of the record before that. */
    uint64_t run_left;
    const unsigned char *run_mds; /* NULL: zeros */

    bool finished;
    bool ended;          /* the list has its end... */
    struct sink_end end; /* ...which says this */
};

/* Go on to the next chunk. A partial list that was interrupted just ends. */
static int next_chunk(struct list_reader *r, struct error *error)
{
    struct error fault = ERROR_INIT;
    int err = list_chunk_next(&r->chunk, &fault);

    r->next = r->chunk.first;
    if (err && r->chunk.broken && r->partial) {
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
    struct sink_end *end = &r->end;
    unsigned char computed[BLKHASH_MAX_MD_SIZE];
    int err;

    end->md_len = (unsigned)r->chunk.check.md_size;
    memcpy(end->md, md, end->md_len);
    err = blkhash_root_final(r->root, end->length, computed, NULL);
    if (err)
        return error_set(error, err, "%s: cannot compute the checksum: %s",
                         r->chunk.name, strerror(err));
    if (memcmp(computed, md, end->md_len) != 0)
        return error_set(error, EINVAL,
                         "%s: broken digest list: its digests do not give its "
                         "checksum",
                         r->chunk.name);
    return 0;
}

/* The last record of the last chunk. */
static int read_end(struct list_reader *r, struct error *error)
{
    const unsigned char *p = r->chunk.buf + r->next + LIST_WORD_SIZE;
    int err = 0;

    r->end.length = get_le64(p);
    if (list_chunk_has_all(&r->chunk, r->end.length))
        err = verify_root(r, p + 8, error);
    if (err)
        return err;
    r->ended = true;
    r->finished = true;
    return r->partial ? 0 : list_chunk_check_eof(&r->chunk, error);
}

/* --- handing out -----------------------------------------------------------
 */

/* Begin to hand out the next record of a verified chunk. */
static int begin_record(struct list_reader *r, struct error *error)
{
    const unsigned char *p = r->chunk.buf + r->next;

    switch (list_word_kind(p)) {
    case LIST_ZERO:
        r->run_left = list_word_count(p);
        r->run_mds = NULL;
        r->next += LIST_WORD_SIZE;
        return 0;
    case LIST_DIGESTS:
        r->run_left = list_word_count(p);
        r->run_mds = p + LIST_WORD_SIZE;
        r->next += LIST_WORD_SIZE + r->run_left * r->chunk.check.md_size;
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
                         r->chunk.name, strerror(err));
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
        r->run_mds += run->blocks * r->chunk.check.md_size;
    return add_to_root(r, run, error);
}

/* --- begin and end of a reader ----------------------------------------- */

/* Only a list that begins with the disk can have its checksum. */
static int make_root(struct list_reader *r, struct error *error)
{
    const struct list_header *h = &r->chunk.header;

    if (h->first_block)
        return 0;
    r->root = blkhash_root_new(h->block_size, h->digest);
    if (!r->root)
        return error_set(error, errno, "%s: digest %s: %s", r->chunk.name,
                         h->digest, strerror(errno));
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
    r->partial = options->partial;
    err = list_chunk_init(&r->chunk, fd, name, options->max_size, error);
    if (!err)
        err = make_root(r, error);
    if (err) {
        if (r->chunk.broken && r->partial)
            err = error->code = ENODATA;
        list_reader_free(r);
        return err;
    }
    r->next = r->chunk.walked; /* the header has no records: at its check */
    *reader = r;
    return 0;
}

void list_reader_free(struct list_reader *r)
{
    if (!r)
        return;
    blkhash_root_free(r->root);
    list_chunk_destroy(&r->chunk);
    free(r);
}

/* --- what is known ---------------------------------------------------------
 */

const struct list_header *list_reader_header(const struct list_reader *r)
{
    return &r->chunk.header;
}

size_t list_reader_md_size(const struct list_reader *r)
{
    return r->chunk.check.md_size;
}

const char *list_reader_name(const struct list_reader *r)
{
    return r->chunk.name;
}

bool list_reader_is_ended(const struct list_reader *r)
{
    assert(r->finished && r->run_left == 0);
    return r->ended;
}

void list_reader_end(const struct list_reader *r, struct sink_end *end)
{
    assert(list_reader_is_ended(r));
    *end = r->end;
}

void list_reader_point(const struct list_reader *r, struct list_point *point)
{
    assert(r->finished);
    *point = r->chunk.point;
    point->ended = r->ended;
    point->end = r->end;
}
