/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list/compare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "list/feed.h"

/* A block of each disk. NULL: zeros. */
struct blocks {
    const unsigned char *disk, *list;
};

/* The block that was compared last. It may be the last of a disk, and short:
 * only the end says how long it is. */
struct last_block {
    bool any;
    struct blocks blocks; /* each in its md, or NULL */
    unsigned char disk_md[BLKHASH_MAX_MD_SIZE], list_md[BLKHASH_MAX_MD_SIZE];
};

struct list_compare {
    struct sink sink; /* the first member */
    struct list_reader *list;
    bool list_is_a;
    struct differences *differences;
    struct blkhash_leaf *leaf;
    unsigned char *zeros; /* a block */
    unsigned char zero_md[BLKHASH_MAX_MD_SIZE];
    size_t block_size, md_size;

    struct list_run run; /* what is left of it */
    bool list_ended;
    uint64_t compared; /* blocks */
    struct last_block last;
};

/* --- blocks ------------------------------------------------------------- */

static bool is_zero(const struct list_compare *c, const unsigned char *md,
                    const unsigned char *zero_md)
{
    return !md || memcmp(md, zero_md, c->md_size) == 0;
}

static enum difference_kind zero_in(const struct list_compare *c, bool in_list)
{
    return in_list == c->list_is_a ? DIFFERENCE_ZERO_IN_A
                                   : DIFFERENCE_ZERO_IN_B;
}

/* Compare two blocks of the same length, for which zeros have this digest. */
static enum difference_kind kind_of(const struct list_compare *c,
                                    struct blocks b,
                                    const unsigned char *zero_md)
{
    bool disk_zero = is_zero(c, b.disk, zero_md);
    bool list_zero = is_zero(c, b.list, zero_md);

    if (disk_zero || list_zero)
        return disk_zero && list_zero ? DIFFERENCE_NONE : zero_in(c, list_zero);
    return memcmp(b.disk, b.list, c->md_size) == 0 ? DIFFERENCE_NONE
                                                   : DIFFERENCE_BYTES;
}

static struct blocks skip(const struct list_compare *c, struct blocks b,
                          uint64_t count)
{
    return (struct blocks){
        .disk = b.disk ? b.disk + count * c->md_size : NULL,
        .list = b.list ? b.list + count * c->md_size : NULL,
    };
}

/* Compare whole blocks; each disk has zeros or digests of all of them. */
static int compare_whole(struct list_compare *c, struct blocks b,
                         uint64_t count, struct error *error)
{
    int err = 0;

    if ((!b.disk && !b.list) ||
        (b.disk && b.list && memcmp(b.disk, b.list, count * c->md_size) == 0))
        return differences_add(c->differences, count * c->block_size,
                               DIFFERENCE_NONE, error);
    for (; !err && count; count--) {
        err = differences_add(c->differences, c->block_size,
                              kind_of(c, b, c->zero_md), error);
        b = skip(c, b, 1);
    }
    return err;
}

static void keep_last(struct list_compare *c, struct blocks b)
{
    struct last_block *last = &c->last;

    *last = (struct last_block){ .any = true };
    if (b.disk)
        last->blocks.disk = memcpy(last->disk_md, b.disk, c->md_size);
    if (b.list)
        last->blocks.list = memcpy(last->list_md, b.list, c->md_size);
}

/* Another block follows, so the last one is whole. */
static int compare_last(struct list_compare *c, struct error *error)
{
    if (!c->last.any)
        return 0;
    c->last.any = false;
    return compare_whole(c, c->last.blocks, 1, error);
}

/* Compare blocks of the disk, as far as the list has blocks. mds: NULL: zeros.
 */
static int compare(struct list_compare *c, const unsigned char *mds,
                   uint64_t count, struct error *error)
{
    int err = 0;

    while (!err && count && !c->list_ended) {
        struct blocks b = { mds, NULL };
        uint64_t n;

        if (c->run.blocks == 0)
            err = list_reader_next(c->list, count, &c->run, error);
        if (err || c->run.blocks == 0) {
            c->list_ended = !err;
            break;
        }
        n = c->run.blocks < count ? c->run.blocks : count;
        b.list = c->run.mds;
        err = compare_last(c, error);
        if (!err)
            err = compare_whole(c, b, n - 1, error);
        keep_last(c, skip(c, b, n - 1));
        b = skip(c, b, n);
        mds = b.disk;
        c->run.mds = b.list;
        c->run.blocks -= n;
        c->compared += n;
        count -= n;
    }
    return err;
}

/* --- the end ------------------------------------------------------------ */

/* Verify the rest of the list. */
static int read_rest(struct list_compare *c, struct sink_end *end,
                     struct error *error)
{
    int err = 0;

    while (!err && !c->list_ended) {
        err = list_reader_next(c->list, 0, &c->run, error);
        c->list_ended = c->run.blocks == 0;
    }
    return err ? err : list_feed_end(c->list, end, error);
}

/* The length of the last block that was compared, in a disk of this length. */
static uint64_t last_length(const struct list_compare *c, uint64_t length)
{
    uint64_t left = length - (c->compared - 1) * c->block_size;

    return left < c->block_size ? left : c->block_size;
}

static int zero_md(const struct list_compare *c, uint64_t length,
                   unsigned char md[BLKHASH_MAX_MD_SIZE], struct error *error)
{
    int err = blkhash_leaf_hash(c->leaf, c->zeros, length, md, NULL);

    return err ? error_set(error, err, "%s: cannot compute digests: %s",
                           list_reader_name(c->list), strerror(err))
               : 0;
}

/* Compare the last block that both disks have, now that their lengths are
 * known. */
static int compare_end(struct list_compare *c, uint64_t disk_length,
                       uint64_t list_length, struct error *error)
{
    unsigned char disk_zero[BLKHASH_MAX_MD_SIZE],
        list_zero[BLKHASH_MAX_MD_SIZE];
    struct blocks b = c->last.blocks;
    enum difference_kind kind;
    uint64_t in_disk, in_list;

    if (!c->last.any)
        return 0;
    in_disk = last_length(c, disk_length);
    in_list = last_length(c, list_length);
    if (zero_md(c, in_disk, disk_zero, error) ||
        zero_md(c, in_list, list_zero, error))
        return error->code;
    if (in_disk == in_list) {
        kind = kind_of(c, b, disk_zero);
    } else {
        bool disk_is_zero = is_zero(c, b.disk, disk_zero);
        bool list_is_zero = is_zero(c, b.list, list_zero);

        /* If only the longer block is all zeros, the shorter one is not. */
        if (disk_is_zero && list_is_zero)
            kind = DIFFERENCE_NONE;
        else if (in_disk < in_list ? list_is_zero : disk_is_zero)
            kind = zero_in(c, list_is_zero);
        else
            kind = DIFFERENCE_BYTES;
    }
    return differences_add(c->differences,
                           in_disk < in_list ? in_disk : in_list, kind, error);
}

static int compare_lengths(struct list_compare *c, uint64_t disk_length,
                           uint64_t list_length, struct error *error)
{
    bool a_is_longer = (list_length > disk_length) == c->list_is_a;
    uint64_t length = disk_length > list_length ? disk_length : list_length;

    return differences_add(
        c->differences, length - c->differences->offset,
        a_is_longer ? DIFFERENCE_ONLY_IN_A : DIFFERENCE_ONLY_IN_B, error);
}

/* --- the sink ----------------------------------------------------------- */

static int compare_zero(struct sink *sink, uint64_t blocks, struct error *error)
{
    return compare((struct list_compare *)sink, NULL, blocks, error);
}

static int compare_digests(struct sink *sink, const unsigned char *mds,
                           size_t count, struct error *error)
{
    return compare((struct list_compare *)sink, mds, count, error);
}

static int end(struct sink *sink, struct sink_end *disk, struct error *error)
{
    struct list_compare *c = (struct list_compare *)sink;
    struct sink_end list;
    int err = read_rest(c, &list, error);

    if (!err)
        err = compare_end(c, disk->length, list.length, error);
    if (!err)
        err = compare_lengths(c, disk->length, list.length, error);
    return err;
}

static int set_up(struct list_compare *c, struct error *error)
{
    const struct list_header *header = list_reader_header(c->list);

    c->block_size = header->block_size;
    c->zeros = calloc(1, c->block_size);
    if (!c->zeros)
        return error_no_memory(error, list_reader_name(c->list));
    c->leaf = blkhash_leaf_new(c->block_size, header->digest);
    if (!c->leaf)
        return error_set(error, errno, "%s: digest %s: %s",
                         list_reader_name(c->list), header->digest,
                         strerror(errno));
    c->md_size = blkhash_leaf_md_size(c->leaf);
    return zero_md(c, c->block_size, c->zero_md, error);
}

int list_compare_new(struct list_reader *list, bool list_is_a,
                     struct differences *differences,
                     struct list_compare **compare_out, struct error *error)
{
    struct list_compare *c = calloc(1, sizeof(*c));
    int err;

    if (!c)
        return error_no_memory(error, list_reader_name(list));
    *c = (struct list_compare){
        .sink = { .zero = compare_zero,
                  .digests = compare_digests,
                  .end = end },
        .list = list,
        .list_is_a = list_is_a,
        .differences = differences,
    };
    err = set_up(c, error);
    if (err)
        list_compare_free(c);
    else
        *compare_out = c;
    return err;
}

struct sink *list_compare_sink(struct list_compare *c)
{
    return &c->sink;
}

void list_compare_free(struct list_compare *c)
{
    if (!c)
        return;
    blkhash_leaf_free(c->leaf);
    free(c->zeros);
    free(c);
}
