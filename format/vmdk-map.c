/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a VMDK image has at a guest offset.
 *
 * The simple version: find the extent, look up the entry of its grain
 * directory, look up the entry of that grain table, and describe one grain.
 * This version also joins neighbours. Grain tables that follow each other in
 * the file, as they do in most images, are read as one table.
 */
#include <errno.h>
#include <inttypes.h>

#include "common/bytes.h"
#include "format/vmdk.h"

/* A compressed grain is hardly longer than its bytes: zlib needs some 16 per
 * 16 KiB, and there is a marker. */
#define MARKER_ROOM 64

/* How many entries are looked at for the grain that comes next in the file. */
#define LOOK_AHEAD 16

/* --- entries ------------------------------------------------------------ */

/* The first sector of a grain table, by its entry of the grain directory; 0: it
 * has none. */
static int grain_table(const struct vmdk_extent *e, const unsigned char *entry,
                       uint64_t *sector)
{
    uint64_t value;

    if (e->kind != VMDK_SESPARSE) {
        *sector = get_le32(entry);
        return 0;
    }
    value = get_le64(entry);
    *sector = 0;
    if (value == 0)
        return 0;
    /* A kind of 4 bits, 28 bits that are zeros, and the number of the table. As
     * in QEMU, the sector has 32 bits. */
    if (value >> 32 != 0x10000000)
        return EIO;
    value = (value & UINT32_MAX) * (e->gt_entries * 8 / SECTOR_SIZE);
    if (sum_exceeds(value, e->gt_base, UINT32_MAX))
        return EIO;
    *sector = value + e->gt_base;
    return 0;
}

static struct block look_up(const void *format, const unsigned char *entry)
{
    const struct vmdk_extent *e = format;
    uint64_t sector = get_le32(entry);

    if (sector == 0)
        return (struct block){ .kind = EXTENT_UNALLOCATED };
    if (sector == 1 && e->zeroed_grains)
        return (struct block){ .kind = EXTENT_ZERO };
    return (struct block){
        .kind = e->codec == CODEC_NONE ? EXTENT_DATA : EXTENT_COMPRESSED,
        .host_offset = sector * SECTOR_SIZE,
    };
}

/* A kind of 4 bits, the 12 low bits of the number of a grain, and 48 high
 * ones. */
static struct block look_up_sesparse(const void *format,
                                     const unsigned char *entry)
{
    const struct vmdk_extent *e = format;
    uint64_t value = get_le64(entry);
    uint64_t grain = (value >> 48 & 0xfff) | (value & ((1ull << 48) - 1)) << 12;
    uint64_t sectors = e->grain_size / SECTOR_SIZE;
    struct block block = { .kind = EXTENT_UNALLOCATED };

    switch (value >> 60) {
    case 0:
        if (value)
            block.fault = "a grain of unknown kind";
        break;
    case 1: /* unmapped by the guest */
    case 2:
        block.kind = EXTENT_ZERO;
        break;
    case 3:
        if (grain > (VMDK_MAX_SECTORS - e->grains_base) / sectors)
            block.fault = "a grain that is too far away";
        else if (grain * sectors + e->grains_base != 0)
            block = (struct block){
                .kind = EXTENT_DATA,
                .host_offset = (grain * sectors + e->grains_base) * SECTOR_SIZE,
            };
        break;
    default:
        block.fault = "a grain of unknown kind";
    }
    return block;
}

/* --- grain tables ------------------------------------------------------- */

static uint64_t table_size(const struct vmdk_extent *e)
{
    return (uint64_t)e->gt_entries * e->entry_size;
}

static int set_bad_table(const struct vmdk_extent *e, uint64_t index,
                         struct error *error)
{
    return error_set(error, EIO,
                     "%s: broken VMDK image: entry %" PRIu64
                     " of the grain directory is of unknown kind",
                     e->reader->name, index);
}

/* How many of the entries that follow, of count, have no table, or have tables
 * that follow each other. */
static uint64_t count_run(const struct vmdk_extent *e,
                          const unsigned char *entries, uint64_t count,
                          uint64_t sector)
{
    uint64_t step = sector ? table_size(e) / SECTOR_SIZE : 0;
    uint64_t n = 1, next;

    if (sector && table_size(e) % SECTOR_SIZE)
        return 1;
    while (n < count && !grain_table(e, entries + n * e->entry_size, &next) &&
           next == sector + n * step)
        n++;
    return n;
}

/* Start to read the grain table of an entry. */
static void prefetch(const struct vmdk_extent *e, const unsigned char *entry)
{
    uint64_t sector;

    if (!grain_table(e, entry, &sector) && sector)
        e->reader->ops->will_need(e->reader, sector * SECTOR_SIZE,
                                  table_size(e));
}

/* Find the grain tables from entry `index` of the directory on. *none is the
 * number of entries that have no table, or 0 if v->run has the tables. */
static int find_run(struct vmdk *v, const struct vmdk_extent *e, uint64_t index,
                    uint64_t *none, struct error *error)
{
    struct vmdk_run *run = &v->run;
    const unsigned char *entries;
    uint64_t sector, count;
    size_t bytes;
    int err;

    *none = 0;
    if (run->extent == e && index >= run->first &&
        index - run->first < run->count)
        return 0;
    table_set(&v->gd, e->reader, e->gd_offset, e->gd_entries * e->entry_size);
    err = table_get(&v->gd, index * e->entry_size, &entries, &bytes, error);
    if (err)
        return err;
    if (grain_table(e, entries, &sector))
        return set_bad_table(e, index, error);
    count = count_run(e, entries, bytes / e->entry_size, sector);
    if (sector == 0) {
        *none = count;
        return 0;
    }
    if (count < bytes / e->entry_size)
        prefetch(e, entries + count * e->entry_size);
    *run = (struct vmdk_run){ .extent = e, .first = index, .count = count };
    table_set(&v->gt, e->reader, sector * SECTOR_SIZE, count * table_size(e));
    return 0;
}

/* --- extents ------------------------------------------------------------ */

/* Guess how long a compressed grain is: up to the grain that comes next, which
 * is most often that of the next entry. The decoder knows better. */
static uint32_t guess_length(struct vmdk *v, const struct vmdk_extent *e,
                             uint64_t entry, uint64_t offset)
{
    uint64_t guess = e->grain_size + e->grain_size / 512 + MARKER_ROOM;
    struct error error = ERROR_INIT;
    const unsigned char *entries;
    size_t bytes;

    if (e->codec == CODEC_ZLIB)
        return e->grain_size; /* as many as QEMU takes */
    if (table_get(&v->gt, entry * e->entry_size, &entries, &bytes, &error)) {
        error_clear(&error);
        return guess;
    }
    for (size_t i = 1; i < LOOK_AHEAD && (i + 1) * e->entry_size <= bytes;
         i++) {
        const struct block next = look_up(e, entries + i * e->entry_size);

        if (next.kind != EXTENT_COMPRESSED)
            continue;
        if (next.host_offset > offset && next.host_offset - offset < guess)
            guess = next.host_offset - offset;
        break;
    }
    return guess;
}

static int set_compressed(struct vmdk *v, const struct vmdk_extent *e,
                          uint64_t entry, uint64_t skip, struct extent *extent,
                          struct error *error)
{
    extent->host_offset -= skip;
    extent->host_length = guess_length(v, e, entry, extent->host_offset);
    extent->cluster_size = e->grain_size;
    extent->skip = skip;
    extent->codec = e->codec;
    if (extent->host_offset < e->reader->size)
        return 0;
    return error_set(error, EIO,
                     "%s: broken VMDK image: the compressed grain for guest "
                     "offset %" PRIu64 " lies beyond the end of the file",
                     e->reader->name, extent->offset);
}

static int map_grains(struct vmdk *v, const struct vmdk_extent *e,
                      struct extent *extent, struct error *error)
{
    const struct blocks blocks = {
        .table = &v->gt,
        .entry_size = e->entry_size,
        .size = e->grain_size,
        .look_up = e->kind == VMDK_SESPARSE ? look_up_sesparse : look_up,
        .format = e,
    };
    uint64_t offset = extent->offset - e->start;
    uint64_t span = e->gt_entries * e->grain_size; /* below 2^44 */
    uint64_t index = offset / span;
    uint64_t none, entry;
    int err = find_run(v, e, index, &none, error);

    if (err)
        return err;
    if (none) {
        extent->kind = EXTENT_UNALLOCATED;
        /* The entries end at most one span after the extent. */
        if (extent->length > (index + none) * span - offset)
            extent->length = (index + none) * span - offset;
        return 0;
    }
    offset -= v->run.first * span;
    if (extent->length > v->run.count * span - offset)
        extent->length = v->run.count * span - offset;
    entry = offset / e->grain_size;
    err = blocks_map(&blocks, entry, offset % e->grain_size, extent, error);
    if (!err && extent->kind == EXTENT_COMPRESSED)
        err =
            set_compressed(v, e, entry, offset % e->grain_size, extent, error);
    return err;
}

static const struct vmdk_extent *find_extent(const struct vmdk *v,
                                             uint64_t offset)
{
    size_t low = 0, high = v->extent_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (v->extents[middle].start <= offset)
            low = middle;
        else
            high = middle;
    }
    return &v->extents[low];
}

int vmdk_map(struct layer *layer, uint64_t offset, uint64_t length,
             struct extent *extent, struct error *error)
{
    struct vmdk *v = vmdk_of(layer);
    const struct vmdk_extent *e = find_extent(v, offset);

    *extent = (struct extent){
        .offset = offset,
        .length = length < e->end - offset ? length : e->end - offset,
        .reader = e->reader,
    };
    switch (e->kind) {
    case VMDK_ZERO:
        return 0;
    case VMDK_FLAT:
        extent->kind = EXTENT_DATA;
        extent->host_offset = e->offset + (offset - e->start);
        return 0;
    default:
        return map_grains(v, e, extent, error);
    }
}
