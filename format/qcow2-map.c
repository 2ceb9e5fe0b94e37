/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a qcow2 image has at a guest offset.
 *
 * The simple version: look up the L1 entry, look up the L2 entry, and describe
 * one cluster or subcluster. This version also joins neighbours of the same
 * kind, as far as the slice of the L2 table reaches. Data is only joined if it
 * is contiguous in the file.
 */
#include <errno.h>
#include <inttypes.h>

#include "common/bytes.h"
#include "format/qcow2.h"

/* Entries of both tables. QEMU ignores the reserved bits, 56 to 61 and 1 to 8.
 */
#define OFFSET_MASK UINT64_C(0x00fffffffffffe00)
#define FLAG_COPIED (UINT64_C(1) << 63)
#define FLAG_COMPRESSED (UINT64_C(1) << 62)
#define FLAG_ZERO (UINT64_C(1) << 0) /* without subclusters */

#define COMPRESSED_SECTOR 512

/* A part of one cluster, which is of one kind. */
struct part {
    enum extent_kind kind;
    uint64_t length;
    uint64_t host_offset;
    uint32_t host_length; /* COMPRESSED */
    const char *fault;    /* why it cannot be read, or NULL */
};

static bool has_data_file(const struct qcow2 *q)
{
    return q->incompatible_features & QCOW2_INCOMPATIBLE_DATA_FILE;
}

/* --- one entry ---------------------------------------------------------- */

/* The entry has the offset in its low bits, and above them the number of
 * sectors after the first one. How many bits each has depends on the cluster
 * size. */
static void compressed_cluster(const struct qcow2 *q, uint64_t entry,
                               struct part *part)
{
    unsigned offset_bits = 62 - (q->cluster_bits - 8);
    uint64_t sectors;

    entry &= ~(FLAG_COPIED | FLAG_COMPRESSED);
    sectors = (entry >> offset_bits) + 1;
    part->kind = EXTENT_COMPRESSED;
    part->host_offset = entry & ((UINT64_C(1) << offset_bits) - 1);
    part->host_length =
        sectors * COMPRESSED_SECTOR - part->host_offset % COMPRESSED_SECTOR;
    if (has_data_file(q))
        part->fault = "a compressed cluster in an image with a data file";
}

/* Set and check the place of a cluster in the file. */
static void check_host_offset(const struct qcow2 *q, uint64_t guest,
                              uint64_t entry, struct part *part)
{
    uint64_t cluster = entry & OFFSET_MASK;

    part->host_offset = cluster + guest % q->cluster_size;
    if (cluster % q->cluster_size)
        part->fault = "a cluster whose offset in the file is not aligned";
    else if (has_data_file(q) && part->host_offset != guest)
        part->fault = "a cluster whose offset in the data file is not that "
                      "on the disk";
}

static bool is_allocated(const struct qcow2 *q, uint64_t entry)
{
    /* In a data file, a cluster may be at offset 0. */
    return entry & OFFSET_MASK || (has_data_file(q) && entry & FLAG_COPIED);
}

static void plain_cluster(const struct qcow2 *q, uint64_t guest, uint64_t entry,
                          struct part *part)
{
    bool zero = entry & FLAG_ZERO;

    part->length = q->cluster_size - guest % q->cluster_size;
    if (zero)
        part->kind = EXTENT_ZERO;
    else
        part->kind = is_allocated(q, entry) ? EXTENT_DATA : EXTENT_UNALLOCATED;

    if (zero && q->version == 2)
        part->fault = "a zero cluster, which version 2 does not have";
    else if (zero ? (entry & OFFSET_MASK) != 0 : part->kind == EXTENT_DATA)
        check_host_offset(q, guest, entry, part);
}

/* The number of equal bits, of 32, from a bit upwards. */
static unsigned run_of_bits(uint32_t bits, unsigned from)
{
    uint32_t rest = bits >> from;
    uint32_t other = rest & 1 ? ~rest : rest;
    unsigned run = other ? (unsigned)__builtin_ctz(other) : 32;

    return run < 32 - from ? run : 32 - from;
}

/* Bit n of `allocated` and of `zero` is that of subcluster n. */
static void extended_cluster(const struct qcow2 *q, uint64_t guest,
                             uint64_t entry, uint64_t bitmap, struct part *part)
{
    uint32_t size = q->cluster_size / QCOW2_SUBCLUSTERS;
    uint32_t in_cluster = guest % q->cluster_size;
    uint32_t allocated = bitmap, zero = bitmap >> 32;
    bool place = is_allocated(q, entry);
    unsigned n = in_cluster / size;
    unsigned run = run_of_bits(allocated, n);
    unsigned zero_run = run_of_bits(zero, n);

    if (zero_run < run)
        run = zero_run;
    part->length = (uint64_t)run * size - in_cluster % size;
    if (zero >> n & 1)
        part->kind = EXTENT_ZERO;
    else
        part->kind = allocated >> n & 1 ? EXTENT_DATA : EXTENT_UNALLOCATED;

    if (place ? (allocated & zero) != 0 : allocated != 0)
        part->fault = "a cluster whose subclusters contradict each other";
    else if (place)
        check_host_offset(q, guest, entry, part);
}

/* Describe a cluster from a guest offset in it on. bytes are its L2 entry. */
static struct part look_up(const struct qcow2 *q, uint64_t guest,
                           const unsigned char *bytes)
{
    uint64_t entry = get_be64(bytes);
    struct part part = { .length = q->cluster_size - guest % q->cluster_size };

    if (entry & FLAG_COMPRESSED)
        compressed_cluster(q, entry, &part);
    else if (q->subclusters)
        extended_cluster(q, guest, entry, get_be64(bytes + 8), &part);
    else
        plain_cluster(q, guest, entry, &part);
    return part;
}

/* --- runs --------------------------------------------------------------- */

static bool continues(const struct part *run, const struct part *next)
{
    return !next->fault && next->kind == run->kind &&
           run->kind != EXTENT_COMPRESSED &&
           (run->kind != EXTENT_DATA ||
            next->host_offset == run->host_offset + run->length);
}

/*
 * How many bytes of entries after the one at bytes, of the first count, are
 * those of clusters that continue it: the same flags, and the next places in
 * the file, or none at all. What was checked of the first is then true of the
 * others. Nearly all entries of most images are so, and need no closer look.
 */
static size_t similar_entries(const struct qcow2 *q, const struct part *run,
                              const unsigned char *bytes, size_t count)
{
    uint64_t entry = get_be64(bytes);
    uint64_t step = entry & OFFSET_MASK ? q->cluster_size : 0;
    size_t i = sizeof(entry);

    if (q->subclusters || run->kind == EXTENT_COMPRESSED ||
        (run->kind == EXTENT_DATA && !step))
        return 0;
    for (; count - i >= sizeof(entry); i += sizeof(entry)) {
        entry += step;
        /* A place beyond the last has carried into the reserved bits. */
        if (get_be64(bytes + i) != entry || (step && !(entry & OFFSET_MASK)))
            break;
    }
    return i - sizeof(entry);
}

static int set_extent(struct qcow2 *q, const struct part *part,
                      struct extent *extent, struct error *error)
{
    struct layer *layer = q->layer;

    if (extent->length > part->length)
        extent->length = part->length;
    extent->kind = part->kind;
    extent->reader = q->data_file ? q->data_file : layer->reader;
    extent->host_offset = part->host_offset;
    if (part->kind != EXTENT_COMPRESSED)
        return 0;

    extent->reader = layer->reader;
    extent->host_length = part->host_length;
    extent->cluster_size = q->cluster_size;
    extent->skip = extent->offset % q->cluster_size;
    extent->codec = q->codec;
    if (part->host_offset >= layer->reader->size)
        return qcow2_broken(q, EIO, error,
                            "the compressed cluster for guest offset %" PRIu64
                            " lies beyond the end of the file",
                            extent->offset);
    return 0;
}

/* Map a run of clusters in one slice of an L2 table. */
static int map_l2(struct qcow2 *q, struct extent *extent, struct error *error)
{
    uint64_t l2_entries = UINT64_C(1) << q->l2_bits;
    uint64_t index = (extent->offset >> q->cluster_bits) % l2_entries;
    const unsigned char *bytes;
    struct part run;
    size_t count, similar;
    int err = table_get(&q->l2, index * q->entry_size, &bytes, &count, error);

    if (err)
        return err;
    run = look_up(q, extent->offset, bytes);
    if (run.fault)
        return qcow2_broken(q, EIO, error, "%s: at guest offset %" PRIu64,
                            run.fault, extent->offset);

    /* No more than those that are asked for. */
    similar = (extent->length / q->cluster_size + 1) * q->entry_size;
    similar =
        similar_entries(q, &run, bytes, similar < count ? similar : count);
    run.length += similar / sizeof(uint64_t) * q->cluster_size;
    bytes += similar;
    count -= similar;
    while (run.length < extent->length) {
        uint64_t guest = extent->offset + run.length;
        struct part next;

        if (guest % q->cluster_size == 0) {
            bytes += q->entry_size;
            count -= q->entry_size;
        }
        if (count < q->entry_size)
            break;
        next = look_up(q, guest, bytes);
        if (!continues(&run, &next))
            break;
        run.length += next.length;
    }
    return set_extent(q, &run, extent, error);
}

/* Start to read the L2 table of the next L1 entry. */
static void prefetch(struct qcow2 *q, uint64_t entry)
{
    uint64_t offset = entry & OFFSET_MASK;

    if (offset)
        q->layer->reader->ops->will_need(
            q->layer->reader, offset,
            q->cluster_size < TABLE_SLICE ? q->cluster_size : TABLE_SLICE);
}

int qcow2_map(struct layer *layer, uint64_t offset, uint64_t length,
              struct extent *extent, struct error *error)
{
    struct qcow2 *q = qcow2_of(layer);
    unsigned shift = q->cluster_bits + q->l2_bits; /* of an L1 entry */
    uint64_t index = offset >> shift;
    uint64_t l2_offset, end;
    const unsigned char *bytes;
    size_t count;
    int err;

    *extent = (struct extent){ .offset = offset,
                               .length = length,
                               .kind = EXTENT_UNALLOCATED };
    if (index >= q->l1_entries)
        return 0; /* a snapshot of a smaller disk */
    err = table_get(&q->l1, index * sizeof(uint64_t), &bytes, &count, error);
    if (err)
        return err;

    l2_offset = get_be64(bytes) & OFFSET_MASK;
    end = index + 1;
    count /= sizeof(uint64_t);
    if (l2_offset == 0) {
        for (size_t i = 1; i < count; i++, end++) {
            if (get_be64(bytes + i * sizeof(uint64_t)) & OFFSET_MASK)
                break;
        }
    }
    if (length > (end << shift) - offset)
        extent->length = (end << shift) - offset;
    if (l2_offset == 0)
        return 0;

    if (l2_offset % q->cluster_size)
        return qcow2_broken(q, EIO, error,
                            "entry %" PRIu64 " of the L1 table is not aligned",
                            index);
    if (q->l2.offset != l2_offset && count > 1)
        prefetch(q, get_be64(bytes + sizeof(uint64_t)));
    table_set(&q->l2, layer->reader, l2_offset, q->cluster_size);
    return map_l2(q, extent, error);
}
