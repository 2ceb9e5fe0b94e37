/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list/merge.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "list/parts.h"

/* A list, and what was read of it. */
struct part {
    struct list_reader *reader;
    uint64_t blocks;
    bool is_read; /* to its end, or as far as possible */
    bool is_good;
};

/* What an error is about. */
enum fault {
    FAULT_OTHER,
    FAULT_GAP, /* no list has some blocks */
    FAULT_LIST /* a list cannot be read to its end */
};

/* The work of one call. */
struct merge {
    const struct list_merge *of;
    struct part *parts; /* in the order of their first blocks */
    struct sink *const *sinks;
    size_t sink_count;
    uint64_t blocks;                /* that were given to the sinks */
    const struct list_reader *last; /* that has the block before; or NULL */
    uint64_t length;                /* of the disk, once a part was read */
    enum fault fault;
};

/* --- whether parts fit each other ------------------------------------- */

static int same_bytes(const struct list_reader *a, const struct list_reader *b,
                      struct error *error)
{
    const struct list_header *x = list_reader_header(a);
    const struct list_header *y = list_reader_header(b);

    if (x->source_len == y->source_len &&
        memcmp(x->source, y->source, x->source_len) == 0)
        return 0;
    return error_set(error, EINVAL, "%s: is not a list of the same image as %s",
                     list_reader_name(b), list_reader_name(a));
}

static int compare_headers(const struct list_reader *a,
                           const struct list_reader *b, struct error *error)
{
    const struct list_header *x = list_reader_header(a);
    const struct list_header *y = list_reader_header(b);

    if (x->block_size != y->block_size)
        return error_set(error, EINVAL,
                         "%s: the block size is %" PRIu64 ", but %" PRIu64
                         " in %s",
                         list_reader_name(b), y->block_size, x->block_size,
                         list_reader_name(a));
    if (strcmp(x->digest, y->digest) != 0)
        return error_set(error, EINVAL, "%s: the digest is %s, but %s in %s",
                         list_reader_name(b), y->digest, x->digest,
                         list_reader_name(a));
    if (x->length == LIST_LENGTH_UNKNOWN || y->length == LIST_LENGTH_UNKNOWN)
        return error_set(
            error, EINVAL, "%s: is a list of a pipe, which cannot be merged",
            list_reader_name(x->length == LIST_LENGTH_UNKNOWN ? a : b));
    if (x->length == y->length)
        return 0;
    return error_set(
        error, EINVAL,
        "%s: the disk has %" PRIu64 " bytes, but %" PRIu64 " in %s",
        list_reader_name(b), y->length, x->length, list_reader_name(a));
}

/* Compare the list of this number with another one, which is taken to be right.
 */
static int compare_with(const struct list_merge *of, size_t right,
                        size_t number, struct error *error)
{
    const struct list_reader *a = of->parts[right], *b = of->parts[number];
    int err = compare_headers(a, b, error);

    if (err)
        return err;
    return of->same ? of->same(a, b, error) : same_bytes(a, b, error);
}

static bool fit(const struct list_merge *of, size_t a, size_t b)
{
    struct error error = ERROR_INIT;
    int err = compare_with(of, a, b, &error);

    error_clear(&error);
    return !err;
}

/* The list that is taken to be right: the first one, unless the next two fit
 * each other, but not the first. */
static size_t find_right(const struct list_merge *of)
{
    return of->count > 2 && !fit(of, 0, 1) && fit(of, 1, 2) ? 1 : 0;
}

static int compare_parts(const struct list_merge *of, struct error *error)
{
    size_t right = find_right(of);
    int err = 0;

    for (size_t i = 0; !err && i < of->count; i++) {
        if (i != right)
            err = compare_with(of, right, i, error);
    }
    return err;
}

/* --- order ------------------------------------------------------------- */

static int by_first_block(const void *a, const void *b)
{
    uint64_t x =
        list_reader_header(((const struct part *)a)->reader)->first_block;
    uint64_t y =
        list_reader_header(((const struct part *)b)->reader)->first_block;

    return x < y ? -1 : x > y;
}

/* A gap before block `end`, at which `next` begins; NULL: the disk ends. */
static int gap(struct merge *m, uint64_t end, const struct list_reader *next,
               struct error *error)
{
    const char *name = list_reader_name(next ? next : m->last);

    m->fault = FAULT_GAP;
    if (next && !m->last)
        return error_set(error, EINVAL,
                         "%s: begins at block %" PRIu64
                         ": no list has the blocks before it",
                         name, end);
    if (next)
        return error_set(error, EINVAL,
                         "%s: begins at block %" PRIu64
                         ", but %s ends at block %" PRIu64
                         ": no list has the blocks between them",
                         name, end, list_reader_name(m->last), m->blocks);
    return error_set(error, EINVAL,
                     "%s: ends at block %" PRIu64 " of %" PRIu64
                     ": no list has the blocks after it",
                     name, m->blocks, end);
}

static int overlap(const struct merge *m, const struct list_reader *part,
                   struct error *error)
{
    return error_set(error, EINVAL,
                     "%s: begins at block %" PRIu64
                     ", but %s ends at block %" PRIu64 ": they overlap",
                     list_reader_name(part),
                     list_reader_header(part)->first_block,
                     list_reader_name(m->last), m->blocks);
}

/* --- blocks ------------------------------------------------------------ */

static int give(struct merge *m, const struct list_run *run,
                struct error *error)
{
    int err = 0;

    for (size_t i = 0; !err && i < m->sink_count; i++) {
        struct sink *sink = m->sinks[i];

        err = run->mds ? sink->digests(sink, run->mds, run->blocks, error)
                       : sink->zero(sink, run->blocks, error);
    }
    m->blocks += run->blocks;
    return err;
}

/* Read what is next in a part. */
static int read_next(struct part *part, struct list_run *run,
                     struct error *error)
{
    int err = list_reader_next(part->reader, 0, run, error);

    part->is_read = err || run->blocks == 0;
    part->is_good = !err && run->blocks == 0;
    if (!err)
        part->blocks += run->blocks;
    return err;
}

/* A part without blocks may be anywhere: more parts than blocks make some. */
static int give_part(struct merge *m, struct part *part, struct error *error)
{
    const uint64_t first = list_reader_header(part->reader)->first_block;
    struct sink_end end;
    struct list_run run;
    int err = 0;

    if (first > m->blocks)
        return gap(m, first, part->reader, error);
    while (!(err = read_next(part, &run, error)) && run.blocks > 0) {
        if (first < m->blocks && m->last != part->reader)
            return overlap(m, part->reader, error);
        m->last = part->reader;
        err = give(m, &run, error);
        if (err)
            return err;
    }
    if (err) {
        m->fault = FAULT_LIST;
    } else {
        list_reader_end(part->reader, &end);
        m->length = end.length;
    }
    return err;
}

static int give_end(struct merge *m, struct sink_end *end, struct error *error)
{
    struct list_header disk = *list_reader_header(m->of->parts[0]);
    int err = 0;

    if (!m->last)
        m->last = m->parts[m->of->count - 1].reader;
    disk.length = m->length;
    if (m->blocks < list_header_blocks(&disk))
        return gap(m, list_header_blocks(&disk), NULL, error);
    *end = (struct sink_end){ .length = m->length };
    for (size_t i = 0; !err && i < m->sink_count; i++)
        err = m->sinks[i]->end(m->sinks[i], end, error);
    return err;
}

/* --- what is missing ----------------------------------------------------- */

/* Read the lists that were not read yet. cause gets the first fault of one. */
static void read_rest(struct merge *m, struct error *cause)
{
    struct list_run run = { .blocks = 0 };

    for (size_t i = 0; i < m->of->count; i++) {
        struct error fault = ERROR_INIT;

        while (!m->parts[i].is_read && !read_next(&m->parts[i], &run, &fault))
            continue;
        error_move(cause, &fault);
        error_clear(&fault);
    }
}

/* What parts_missing() says; NULL: it is not known. */
static char *find_missing(const struct merge *m)
{
    const struct list_header *header = list_reader_header(m->of->parts[0]);
    const size_t count = m->of->count;
    struct parts_list *lists;
    uint64_t blocks;
    unsigned parts;
    char *missing = NULL;

    if (header->length == LIST_LENGTH_UNKNOWN)
        return NULL;
    blocks = list_header_blocks(header);
    lists = calloc(count, sizeof(*lists));
    if (!lists)
        return NULL;
    for (size_t i = 0; i < count; i++)
        lists[i] = (struct parts_list){
            .first = list_reader_header(m->parts[i].reader)->first_block,
            .blocks = m->parts[i].blocks,
            .is_good = m->parts[i].is_good,
        };
    parts = parts_find_count(lists, count, blocks, m->of->named);
    if (parts > 1)
        missing = parts_missing(lists, count, blocks, parts);
    free(lists);
    return missing;
}

/* Make "part N/M is missing" of an error that is a gap, or add it to the fault
 * of a list. */
static void explain(struct merge *m, struct error *error)
{
    struct error cause = ERROR_INIT;
    char *missing;

    if (m->fault == FAULT_LIST)
        error_move(&cause, error);
    read_rest(m, &cause);
    missing = find_missing(m);
    if (missing && cause.code) {
        error_clear(error);
        error_set(error, cause.code, "%s; so %s", error_message(&cause),
                  missing);
    } else if (missing) {
        error_clear(error);
        error_set(error, EINVAL, "%s: %s", m->of->name, missing);
    } else if (cause.code) {
        error_clear(error);
        error_move(error, &cause);
    }
    error_clear(&cause);
    free(missing);
}

/* --- begin and end ----------------------------------------------------- */

static int begin(struct merge *m, const struct list_merge *of,
                 struct error *error)
{
    *m = (struct merge){ .of = of };
    m->parts = calloc(of->count, sizeof(*m->parts));
    if (!m->parts)
        return error_no_memory(error, of->name);
    for (size_t i = 0; i < of->count; i++)
        m->parts[i].reader = of->parts[i];
    qsort(m->parts, of->count, sizeof(*m->parts), by_first_block);
    return 0;
}

int list_merge(const struct list_merge *of, struct sink *const *sinks,
               size_t sink_count, struct sink_end *end, struct error *error)
{
    struct merge m;
    int err = compare_parts(of, error);

    assert(of->count > 0 && sink_count > 0);
    if (!err)
        err = begin(&m, of, error);
    if (err)
        return err;
    m.sinks = sinks;
    m.sink_count = sink_count;
    for (size_t i = 0; !err && i < of->count; i++)
        err = give_part(&m, &m.parts[i], error);
    if (!err)
        err = give_end(&m, end, error);
    if (err && m.fault != FAULT_OTHER) {
        explain(&m, error);
        err = error->code;
    }
    free(m.parts);
    return err;
}

void list_merge_explain(const struct list_merge *of, struct error *error)
{
    struct error none = ERROR_INIT;
    struct merge m;

    assert(of->count > 0 && error->code);
    if (compare_parts(of, &none) == 0 && begin(&m, of, &none) == 0) {
        m.fault = FAULT_LIST;
        explain(&m, error);
        free(m.parts);
    }
    error_clear(&none);
}
