/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/vpc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "format/format.h"

/* The header of dynamic and differencing images. */
#define HEADER_COOKIE "cxsparse"
#define AT_TABLE_OFFSET 16
#define AT_ENTRIES 28
#define AT_BLOCK_SIZE 32
#define AT_PARENT_UUID 40

#define ENTRY_SIZE 4
#define UNALLOCATED 0xffffffff

/* QEMU's limit: it reads the table at once, which may have 2^31 - 512 bytes. */
#define MAX_ENTRIES (((UINT64_C(1) << 31) - 512) / ENTRY_SIZE)

/* --- the header and the table ------------------------------------------- */

static int check_header(const struct layer *layer, const unsigned char *h,
                        struct error *error)
{
    const char *name = layer->reader->name;
    uint32_t block_size = get_be32(h + AT_BLOCK_SIZE);
    uint32_t entries = get_be32(h + AT_ENTRIES);

    if (block_size < SECTOR_SIZE || (block_size & (block_size - 1)))
        return error_set(error, EINVAL,
                         "%s: broken VPC image: the block size is %u, which is "
                         "not a power of 2, or is less than %d",
                         name, block_size, SECTOR_SIZE);
    if (entries > MAX_ENTRIES)
        return error_set(error, EFBIG,
                         "%s: the VPC block table is too large: %u entries, "
                         "more than %" PRIu64,
                         name, entries, MAX_ENTRIES);
    if (layer->size > (uint64_t)entries * block_size)
        return error_set(error, EINVAL,
                         "%s: broken VPC image: its table has %u blocks of %u "
                         "bytes, too few for a disk of %" PRIu64 " bytes",
                         name, entries, block_size, layer->size);
    return 0;
}

/* Check that all blocks are in the file. QEMU refuses an image that has been
 * cut, even if the blocks that are missing are not on the disk. */
static int check_table(struct vpc *v, const struct reader *r,
                       struct error *error)
{
    uint64_t end = vpc_file_end(r);
    uint64_t block_bytes = (uint64_t)v->bitmap_size + v->block_size;
    const unsigned char *bytes;
    size_t count;

    for (uint64_t at = 0; at < v->table.length; at += count) {
        int err = table_get(&v->table, at, &bytes, &count, error);

        if (err)
            return err;
        for (size_t i = 0; i < count; i += ENTRY_SIZE) {
            /* A block begins below 2^32 sectors, and has less than 2^32 bytes
             * with its bitmap. */
            uint64_t entry = get_be32(bytes + i);

            if (entry != UNALLOCATED && entry * SECTOR_SIZE + block_bytes > end)
                return error_set(error, EINVAL,
                                 "%s: broken VPC image: block %" PRIu64
                                 " ends beyond the end of the file",
                                 r->name, (at + i) / ENTRY_SIZE);
        }
    }
    return 0;
}

static struct block look_up(const void *format, const unsigned char *bytes)
{
    const struct vpc *v = format;
    uint64_t entry = get_be32(bytes);

    if (entry == UNALLOCATED)
        return (struct block){ .kind = v->type == VPC_DIFFERENCING
                                           ? EXTENT_UNALLOCATED
                                           : EXTENT_ZERO };
    return (struct block){
        .kind = EXTENT_DATA,
        .host_offset = entry * SECTOR_SIZE + v->bitmap_size,
    };
}

/* The table must be in the file, so its length is bounded by that of the
 * file. */
static int set_table(struct layer *layer, const unsigned char *h,
                     struct error *error)
{
    struct vpc *v = layer->format_data;
    struct reader *r = layer->reader;
    uint64_t offset = get_be64(h + AT_TABLE_OFFSET);
    uint64_t length = (uint64_t)get_be32(h + AT_ENTRIES) * ENTRY_SIZE;

    if (sum_exceeds(offset, length, vpc_file_end(r)))
        return error_set(error, EINVAL,
                         "%s: broken VPC image: its block table, %" PRIu64
                         " bytes at %" PRIu64
                         ", ends beyond the end of the file",
                         r->name, length, offset);
    table_set(&v->table, r, offset, length);
    v->blocks = (struct blocks){
        .table = &v->table,
        .entry_size = ENTRY_SIZE,
        .size = v->block_size,
        .look_up = look_up,
        .format = v,
    };
    return check_table(v, r, error);
}

static int open_header(struct layer *layer, struct error *error)
{
    struct vpc *v = layer->format_data;
    struct reader *r = layer->reader;
    unsigned char h[VPC_HEADER_SIZE];
    int err = metadata_read(r, v->header_offset, h, sizeof(h), error);

    if (err)
        return err;
    if (memcmp(h, HEADER_COOKIE, strlen(HEADER_COOKIE)) != 0)
        return error_set(error, EINVAL,
                         "%s: broken VPC image: the header at %" PRIu64
                         " does not have the cookie '%s'",
                         r->name, v->header_offset, HEADER_COOKIE);
    err = check_header(layer, h, error);
    if (err)
        return err;
    v->block_size = get_be32(h + AT_BLOCK_SIZE);
    /* A bit for each sector, in whole sectors: at most 2^31 / 2^12 bytes. As in
     * QEMU, a block of less than 8 sectors has no bitmap. */
    v->bitmap_size = round_up(v->block_size / SECTOR_SIZE / 8, SECTOR_SIZE);
    if (v->type == VPC_DIFFERENCING && v->bitmap_size == 0)
        return error_set(error, ENOTSUP,
                         "%s: differencing VPC images with blocks of %u bytes "
                         "are not supported",
                         r->name, v->block_size);
    err = set_table(layer, h, error);
    if (err || v->type != VPC_DIFFERENCING)
        return err;
    memcpy(v->parent_uuid, h + AT_PARENT_UUID, VPC_UUID_SIZE);
    return vpc_find_parent(layer, h, error);
}

/* --- map ---------------------------------------------------------------- */

static bool has_sector(const unsigned char *bitmap, uint64_t n)
{
    return bitmap[n / 8] & (0x80 >> n % 8);
}

/* The sectors of a block that are alike, from `skip` bytes on: those whose bits
 * are set are here, the others in the parent. */
static int map_sectors(struct vpc *v, uint64_t skip, struct extent *extent,
                       struct error *error)
{
    uint64_t first = skip / SECTOR_SIZE, count, run = 1;
    const unsigned char *bytes;
    size_t there;
    int err;

    if (extent->length > v->block_size - skip)
        extent->length = v->block_size - skip;
    table_set(&v->bitmap, extent->reader,
              extent->host_offset - skip - v->bitmap_size, v->bitmap_size);
    err = table_get(&v->bitmap, first / 8, &bytes, &there, error);
    if (err)
        return err;

    /* The bits from the first byte of the slice on. */
    count = (skip + extent->length - 1) / SECTOR_SIZE + 1 - first / 8 * 8;
    if (count > 8 * there)
        count = 8 * there;
    first %= 8;
    while (first + run < count &&
           has_sector(bytes, first + run) == has_sector(bytes, first))
        run++;
    if (extent->length > run * SECTOR_SIZE - skip % SECTOR_SIZE)
        extent->length = run * SECTOR_SIZE - skip % SECTOR_SIZE;
    if (!has_sector(bytes, first))
        extent->kind = EXTENT_UNALLOCATED;
    return 0;
}

static int vpc_map(struct layer *layer, uint64_t offset, uint64_t length,
                   struct extent *extent, struct error *error)
{
    struct vpc *v = layer->format_data;
    uint64_t skip;
    int err;

    *extent = (struct extent){
        .offset = offset,
        .length = length,
        .kind = EXTENT_DATA,
        .reader = layer->reader,
        .host_offset = offset,
    };
    if (v->type == VPC_FIXED)
        return 0;
    skip = offset % v->block_size;
    err = blocks_map(&v->blocks, offset / v->block_size, skip, extent, error);
    if (err || v->type != VPC_DIFFERENCING || extent->kind != EXTENT_DATA)
        return err;
    return map_sectors(v, skip, extent, error);
}

/* --- opening ------------------------------------------------------------ */

static void vpc_close(struct layer *layer)
{
    struct vpc *v = layer->format_data;

    table_free(&v->table);
    table_free(&v->bitmap);
    free(v);
}

static int vpc_check_backing(const struct layer *layer,
                             const struct layer *backing, struct error *error)
{
    if (backing->ops->map == vpc_map)
        return vpc_check_parent(layer, backing, error);
    return vpc_check_raw_parent(layer, backing, error);
}

static const struct layer_ops vpc_ops = {
    .map = vpc_map,
    .check_backing = vpc_check_backing,
    .close = vpc_close,
};

int vpc_open(struct layer *layer, const struct layer_options *options,
             struct error *error)
{
    struct vpc *v = calloc(1, sizeof(*v));
    int err;

    if (!v)
        return error_no_memory(error, layer->reader->name);
    layer->ops = &vpc_ops;
    layer->format_data = v;

    err = vpc_read_footer(layer, error);
    if (!err && options->snapshot)
        err = error_set(error, ENOTSUP, "%s: a VPC image has no snapshots",
                        layer->reader->name);
    if (!err && v->has_header)
        err = open_header(layer, error);
    return err;
}
