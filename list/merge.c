/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list/merge.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The work of one call. */
struct merge {
    struct sink *const *sinks;
    size_t sink_count;
    uint64_t blocks;                /* that were given to the sinks */
    const struct list_reader *last; /* that has the block before; or NULL */
    uint64_t length;                /* of the disk, once a part was read */
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
    if (x->length == y->length)
        return 0;
    if (x->length == LIST_LENGTH_UNKNOWN || y->length == LIST_LENGTH_UNKNOWN)
        return error_set(
            error, EINVAL, "%s: is a list of a pipe, which cannot be merged",
            list_reader_name(x->length == LIST_LENGTH_UNKNOWN ? a : b));
    return error_set(
        error, EINVAL,
        "%s: the disk has %" PRIu64 " bytes, but %" PRIu64 " in %s",
        list_reader_name(b), y->length, x->length, list_reader_name(a));
}

static int compare_parts(struct list_reader *const *parts, size_t count,
                         list_same_source *same, struct error *error)
{
    for (size_t i = 1; i < count; i++) {
        int err = compare_headers(parts[0], parts[i], error);

        if (!err)
            err = same(parts[0], parts[i], error);
        if (err)
            return err;
    }
    return 0;
}

/* --- order ------------------------------------------------------------- */

static int by_first_block(const void *a, const void *b)
{
    uint64_t x =
        list_reader_header(*(struct list_reader *const *)a)->first_block;
    uint64_t y =
        list_reader_header(*(struct list_reader *const *)b)->first_block;

    return x < y ? -1 : x > y;
}

/* A gap before block `end`, at which `next` begins; NULL: the disk ends. */
static int gap(const struct merge *m, uint64_t end,
               const struct list_reader *next, struct error *error)
{
    const char *name = list_reader_name(next ? next : m->last);

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

/* A part without blocks may be anywhere: more parts than blocks make some. */
static int give_part(struct merge *m, struct list_reader *part,
                     struct error *error)
{
    const uint64_t first = list_reader_header(part)->first_block;
    struct sink_end end;
    struct list_run run;
    int err = 0;

    if (first > m->blocks)
        return gap(m, first, part, error);
    while (!(err = list_reader_next(part, 0, &run, error)) && run.blocks > 0) {
        if (first < m->blocks && m->last != part)
            return overlap(m, part, error);
        m->last = part;
        err = give(m, &run, error);
        if (err)
            return err;
    }
    if (!err) {
        list_reader_end(part, &end);
        m->length = end.length;
    }
    return err;
}

static int give_end(struct merge *m, const struct list_header *header,
                    struct sink_end *end, struct error *error)
{
    struct list_header disk = *header;
    int err = 0;

    disk.length = m->length;
    if (m->blocks < list_header_blocks(&disk))
        return gap(m, list_header_blocks(&disk), NULL, error);
    *end = (struct sink_end){ .length = m->length };
    for (size_t i = 0; !err && i < m->sink_count; i++)
        err = m->sinks[i]->end(m->sinks[i], end, error);
    return err;
}

int list_merge(struct list_reader *const *parts, size_t count,
               list_same_source *same, struct sink *const *sinks,
               size_t sink_count, struct sink_end *end, struct error *error)
{
    struct merge m = { .sinks = sinks, .sink_count = sink_count };
    struct list_reader **sorted;
    int err = compare_parts(parts, count, same ? same : same_bytes, error);

    assert(count > 0 && sink_count > 0);
    if (err)
        return err;
    sorted = malloc(count * sizeof(*sorted));
    if (!sorted)
        return error_no_memory(error, list_reader_name(parts[0]));
    memcpy(sorted, parts, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), by_first_block);
    for (size_t i = 0; !err && i < count; i++)
        err = give_part(&m, sorted[i], error);
    if (!err) {
        if (!m.last)
            m.last = sorted[count - 1];
        err = give_end(&m, list_reader_header(parts[0]), end, error);
    }
    free(sorted);
    return err;
}
