/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A persistent bitmap: a table, whose entries say where the clusters of its
 * data are. A bit stands for a range of the disk as large as the granularity;
 * if it is set, the guest has written there.
 *
 * A bitmap that misses a change would make a wrong checksum. So all of its
 * structure is checked before anything is read by it, and in doubt it is
 * refused.
 */
#include "format/qcow2-bitmap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "format/ranges.h"

#define FLAG_IN_USE (UINT32_C(1) << 0)
#define FLAG_AUTO (UINT32_C(1) << 1)
#define FLAG_EXTRA_COMPATIBLE (UINT32_C(1) << 2)
#define FLAGS_KNOWN (FLAG_IN_USE | FLAG_AUTO | FLAG_EXTRA_COMPATIBLE)

#define TYPE_DIRTY_TRACKING 1

/* Entries of the table. Without an offset, all bits of the cluster are 0, or 1
 * with this flag. */
#define OFFSET_MASK UINT64_C(0x00fffffffffffe00)
#define ALL_ONES UINT64_C(1)

struct bitmap {
    struct changes changes; /* first */
    struct qcow2 *q;
    char *name;
    unsigned granularity_bits;
    unsigned cluster_shift;   /* an entry of the table has as many bits of the
                               * bitmap as 1 << cluster_shift */
    uint64_t size;            /* of the disk */
    uint64_t bytes;           /* of the data */
    struct table table, data; /* data: the cluster that was read last */
    uint64_t run_start;       /* the last answer: no more than is known of */
    uint64_t run_end;         /*     the disk, from run_start on, */
    bool run_changed;         /*     and what it is */
};

/* Set the error "NAME: bitmap 'NAME' cannot be used: ...". Returns its code. */
static int __attribute__((format(printf, 5, 6)))
refuse(const struct qcow2 *q, const char *name, int code, struct error *error,
       const char *format, ...)
{
    char text[200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return error_set(error, code, "%s: bitmap '%s' cannot be used: %s",
                     q->layer->reader->name, name, text);
}

/* --- the entry of the directory ----------------------------------------- */

/* Whether the bitmap has recorded all changes, in a way that is known here. */
static int check_meaning(const struct qcow2 *q,
                         const struct qcow2_bitmap_entry *e,
                         struct error *error)
{
    if (e->type != TYPE_DIRTY_TRACKING)
        return refuse(q, e->name, ENOTSUP, error, "its type %u is unknown",
                      e->type);
    if (e->flags & ~FLAGS_KNOWN)
        return refuse(q, e->name, ENOTSUP, error,
                      "it has unknown flags: 0x%" PRIx32,
                      e->flags & ~FLAGS_KNOWN);
    if (e->extra_length && !(e->flags & FLAG_EXTRA_COMPATIBLE))
        return refuse(q, e->name, ENOTSUP, error,
                      "its extra data is unknown, and must not be ignored");
    if (e->flags & FLAG_IN_USE)
        return refuse(q, e->name, EBUSY, error,
                      "it is in use: a program has the image open, or did not "
                      "save the bitmap");
    if (!(e->flags & FLAG_AUTO))
        return refuse(q, e->name, EINVAL, error,
                      "it is disabled, so it has not recorded all changes");
    return 0;
}

static uint64_t divide_up(uint64_t n, uint64_t by)
{
    return n / by + (n % by != 0);
}

/* Whether the bitmap is that of a disk of this size. Set how large it is. */
static int check_size(struct bitmap *b, const struct qcow2_bitmap_entry *e,
                      struct error *error)
{
    const struct qcow2 *q = b->q;
    uint64_t entries;

    if (e->granularity_bits < QCOW2_MIN_GRANULARITY_BITS ||
        e->granularity_bits > QCOW2_MAX_GRANULARITY_BITS)
        return refuse(q, e->name, EINVAL, error,
                      "its granularity is 2^%u bytes, but must be 2^%u to 2^%u",
                      e->granularity_bits, QCOW2_MIN_GRANULARITY_BITS,
                      QCOW2_MAX_GRANULARITY_BITS);
    b->granularity_bits = e->granularity_bits;
    b->bytes =
        divide_up(divide_up(b->size, UINT64_C(1) << b->granularity_bits), 8);
    entries = divide_up(b->bytes, q->cluster_size);
    if (e->table_entries != entries)
        return refuse(q, e->name, EINVAL, error,
                      "its table has %" PRIu32
                      " entries instead of the %" PRIu64
                      " of a disk of %" PRIu64 " bytes",
                      e->table_entries, entries, b->size);
    if (entries * q->cluster_size > QCOW2_MAX_BITMAP_SIZE)
        return refuse(q, e->name, EFBIG, error,
                      "it is too large: %" PRIu64 " bytes", b->bytes);
    return 0;
}

/* --- the table ---------------------------------------------------------- */

/* The bytes of data in the cluster of this entry. */
static uint64_t data_length(const struct bitmap *b, uint64_t index)
{
    uint64_t left = b->bytes - index * b->q->cluster_size;

    return left < b->q->cluster_size ? left : b->q->cluster_size;
}

/* Check an entry of the table. *offset: of its cluster, or 0. */
static int check_entry(const struct bitmap *b, uint64_t index, uint64_t entry,
                       uint64_t *offset, struct error *error)
{
    const struct qcow2 *q = b->q;

    *offset = entry & OFFSET_MASK;
    if (entry & ~(OFFSET_MASK | ALL_ONES) || (*offset && entry & ALL_ONES) ||
        *offset % q->cluster_size)
        return refuse(q, b->name, EINVAL, error,
                      "entry %" PRIu64 " of its table is invalid: 0x%" PRIx64,
                      index, entry);
    if (*offset &&
        sum_exceeds(*offset, data_length(b, index), q->layer->reader->size))
        return refuse(q, b->name, EINVAL, error,
                      "its data does not lie in the file: entry %" PRIu64
                      " of its table has the offset %" PRIu64,
                      index, *offset);
    return 0;
}

static int get_entries(struct bitmap *b, uint64_t index,
                       const unsigned char **bytes, uint64_t *count,
                       struct error *error)
{
    size_t length;
    int err =
        table_get(&b->table, index * sizeof(uint64_t), bytes, &length, error);

    *count = length / sizeof(uint64_t);
    return err;
}

/* Check all entries of the table, and add the clusters to the ranges. */
static int check_table(struct bitmap *b, struct ranges *used, uint64_t *total,
                       struct error *error)
{
    uint64_t entries = b->table.length / sizeof(uint64_t), count;
    const unsigned char *bytes;

    for (uint64_t i = 0; i < entries; i += count) {
        int err = get_entries(b, i, &bytes, &count, error);

        for (uint64_t n = 0; !err && n < count; n++) {
            uint64_t offset, entry = get_be64(bytes + n * sizeof(uint64_t));

            err = check_entry(b, i + n, entry, &offset, error);
            if (err || !offset)
                continue;
            *total += b->q->cluster_size;
            if (ranges_add(used, offset, b->q->cluster_size))
                err = error_no_memory(error, b->q->layer->reader->name);
        }
        if (err)
            return err;
    }
    return 0;
}

/* Add the rest of what the bitmap uses. A cluster has one use only. */
static int add_metadata(const struct bitmap *b, struct ranges *used,
                        uint64_t *total, struct error *error)
{
    const struct qcow2 *q = b->q;
    uint64_t directory = round_up(q->bitmaps.directory_size, q->cluster_size);
    uint64_t table = round_up(b->table.length, q->cluster_size);

    *total += q->cluster_size + directory + table;
    if (ranges_add(used, 0, q->cluster_size) ||
        ranges_add(used, q->bitmaps.directory_offset, directory) ||
        ranges_add(used, b->table.offset, table))
        return error_no_memory(error, q->layer->reader->name);
    return 0;
}

/* Whether nothing is used twice: then the ranges, joined, are as long as the
 * sum of all. */
static int check_overlaps(struct bitmap *b, struct error *error)
{
    struct ranges used = { .count = 0 };
    uint64_t total = 0, joined = 0;
    int err = add_metadata(b, &used, &total, error);

    if (!err)
        err = check_table(b, &used, &total, error);
    if (!err) {
        ranges_sort(&used);
        for (size_t i = 0; i < used.count; i++)
            joined += used.list[i].end - used.list[i].start;
        if (joined != total)
            err = refuse(b->q, b->name, EINVAL, error,
                         "a cluster of it is used twice");
    }
    ranges_free(&used);
    return err;
}

static int set_table(struct bitmap *b, const struct qcow2_bitmap_entry *e,
                     struct error *error)
{
    const struct qcow2 *q = b->q;
    uint64_t length = e->table_entries * (uint64_t)sizeof(uint64_t);

    if (length && e->table_offset % q->cluster_size)
        return refuse(q, e->name, EINVAL, error,
                      "its table has an invalid offset: %" PRIu64,
                      e->table_offset);
    if (sum_exceeds(e->table_offset, length, q->layer->reader->size))
        return refuse(q, e->name, EINVAL, error,
                      "its table does not lie in the file: %" PRIu64
                      " bytes at %" PRIu64,
                      length, e->table_offset);
    table_set(&b->table, q->layer->reader, e->table_offset, length);
    return check_overlaps(b, error);
}

/* --- changes ------------------------------------------------------------ */

/* The number of bits from `from` on, below `end`, that are as the first. */
static uint64_t run_of_bits(const unsigned char *bytes, uint64_t from,
                            uint64_t end, bool *set)
{
    uint64_t same, word, n = from;

    *set = bytes[n / 8] >> n % 8 & 1;
    same = *set ? UINT64_MAX : 0;
    while (n < end) {
        if (n % 64 == 0 && end - n >= 64) {
            memcpy(&word, bytes + n / 8, sizeof(word));
            if (word == same) {
                n += 64;
                continue;
            }
        }
        if ((bytes[n / 8] >> n % 8 & 1) != *set)
            break;
        n++;
    }
    return n - from;
}

/* A run in a cluster of data, as far as a slice reaches. */
static int find_in_cluster(struct bitmap *b, uint64_t index, uint64_t offset,
                           uint64_t *bit, struct error *error)
{
    uint64_t in_cluster = *bit & ((UINT64_C(1) << b->cluster_shift) - 1);
    const unsigned char *bytes;
    size_t count;
    int err;

    table_set(&b->data, b->q->layer->reader, offset, data_length(b, index));
    err = table_get(&b->data, in_cluster / 8, &bytes, &count, error);
    if (!err)
        *bit += run_of_bits(bytes, in_cluster % 8, (uint64_t)count * 8,
                            &b->run_changed);
    return err;
}

/* Find the run of equal bits that begins at *bit, or a part of it, and set *bit
 * to its end. */
static int find_run(struct bitmap *b, uint64_t *bit, struct error *error)
{
    uint64_t index = *bit >> b->cluster_shift, count, entry, offset, n = 1;
    const unsigned char *bytes;
    int err = get_entries(b, index, &bytes, &count, error);

    if (err)
        return err;
    entry = get_be64(bytes);
    err = check_entry(b, index, entry, &offset, error);
    if (err)
        return err;
    if (offset)
        return find_in_cluster(b, index, offset, bit, error);
    while (n < count && get_be64(bytes + n * sizeof(uint64_t)) == entry)
        n++;
    b->run_changed = entry & ALL_ONES;
    *bit = (index + n) << b->cluster_shift;
    return 0;
}

static int bitmap_next(struct changes *changes, uint64_t offset,
                       uint64_t length, struct change *change,
                       struct error *error)
{
    struct bitmap *b = (struct bitmap *)changes;

    if (offset < b->run_start || offset >= b->run_end) {
        uint64_t bit = offset >> b->granularity_bits;
        int err = find_run(b, &bit, error);

        if (err)
            return err;
        b->run_start = offset;
        b->run_end = bit << b->granularity_bits;
    }
    change->changed = b->run_changed;
    change->length = b->run_end - offset;
    if (change->length > length)
        change->length = length;
    return 0;
}

static void bitmap_free(struct changes *changes)
{
    struct bitmap *b = (struct bitmap *)changes;

    table_free(&b->table);
    table_free(&b->data);
    free(b->name);
    free(b);
}

static int open_bitmap(struct bitmap *b, const struct qcow2_bitmap_entry *e,
                       struct error *error)
{
    int err = check_meaning(b->q, e, error);

    b->name = strdup(e->name);
    if (!b->name)
        return error_no_memory(error, b->q->layer->reader->name);
    if (!err)
        err = check_size(b, e, error);
    if (!err)
        err = set_table(b, e, error);
    return err;
}

int qcow2_bitmap(struct layer *layer, const char *name,
                 struct changes **changes, struct error *error)
{
    struct qcow2 *q = qcow2_of(layer);
    struct qcow2_bitmap_entry e;
    int err = qcow2_find_bitmap(q, name, &e, error);
    struct bitmap *b;

    if (err)
        return err;
    b = calloc(1, sizeof(*b));
    if (!b)
        return error_no_memory(error, layer->reader->name);
    b->changes = (struct changes){ .next = bitmap_next, .free = bitmap_free };
    b->q = q;
    b->cluster_shift = q->cluster_bits + 3;
    b->size = layer->size;
    err = open_bitmap(b, &e, error);
    if (err)
        bitmap_free(&b->changes);
    else
        *changes = &b->changes;
    return err;
}
