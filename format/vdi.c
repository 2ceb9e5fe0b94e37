/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VDI, VirtualBox's format: a header, a map with an entry for each block of the
 * disk, and the blocks. An image of fixed size has all its blocks, in order.
 * QEMU 7.2 is right about what is an image.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/units.h"
#include "format/blocks.h"
#include "format/format.h"

/* The header. All numbers are little-endian. */
#define HEADER_SIZE 512
#define AT_SIGNATURE 0x40
#define AT_VERSION 0x44
#define AT_MAP_OFFSET 0x154
#define AT_DATA_OFFSET 0x158
#define AT_SECTOR_SIZE 0x168
#define AT_DISK_SIZE 0x170
#define AT_BLOCK_SIZE 0x178
#define AT_BLOCK_COUNT 0x180
#define AT_LINK_UUID 0x1a8   /* of the parent */
#define AT_PARENT_UUID 0x1b8 /* of the parent's state */
#define UUID_SIZE 16

#define SIGNATURE 0xbeda107f
#define VERSION 0x00010001 /* 1.1 */

/* QEMU reads no others, though the format has them. */
#define BLOCK_SIZE MiB

/* Entries of the map: from here on, the block is not stored. 2^32 - 1 was never
 * allocated, and 2^32 - 2 was discarded. */
#define FIRST_UNSTORED 0xfffffffe
#define ENTRY_SIZE 4

/* QEMU's limit: it reads the map at once, which may have 2^31 - 512 bytes. So a
 * disk has less than 2^49 bytes. The last block that an entry can stand for
 * begins at less than 2^32 + 2^32 * 2^20 bytes. */
#define MAX_BLOCKS (((UINT64_C(1) << 31) - 512) / ENTRY_SIZE)

struct vdi {
    struct table map;
    struct blocks blocks;
    uint64_t data_offset; /* of block 0 */
};

/* --- opening ------------------------------------------------------------ */

static bool is_null(const unsigned char *uuid)
{
    return bytes_are_zero(uuid, UUID_SIZE);
}

/* Check what the image is. */
static int check_kind(const unsigned char *h, const char *name,
                      struct error *error)
{
    uint32_t version = get_le32(h + AT_VERSION);
    uint32_t sector_size = get_le32(h + AT_SECTOR_SIZE);
    uint32_t block_size = get_le32(h + AT_BLOCK_SIZE);

    if (get_le32(h + AT_SIGNATURE) != SIGNATURE)
        return error_set(error, EINVAL,
                         "%s: not a VDI image: the signature at offset %d is "
                         "wrong",
                         name, AT_SIGNATURE);
    if (version != VERSION)
        return error_set(error, ENOTSUP,
                         "%s: VDI version %u.%u is not supported, only 1.1",
                         name, version >> 16, version & 0xffff);
    if (sector_size != SECTOR_SIZE)
        return error_set(error, ENOTSUP,
                         "%s: VDI with sectors of %u bytes is not supported, "
                         "only of %d",
                         name, sector_size, SECTOR_SIZE);
    if (block_size != BLOCK_SIZE)
        return error_set(error, ENOTSUP,
                         "%s: VDI with blocks of %u bytes is not supported, "
                         "only of %" PRIu64,
                         name, block_size, BLOCK_SIZE);
    if (!is_null(h + AT_LINK_UUID) || !is_null(h + AT_PARENT_UUID))
        return error_set(error, ENOTSUP,
                         "%s: a VDI snapshot, which has only the changes since "
                         "a parent, is not supported: the %s UUID is not zero",
                         name, is_null(h + AT_LINK_UUID) ? "parent" : "link");
    return 0;
}

/* Check that the map and the blocks are where they can be. */
static int check_places(const unsigned char *h, const struct reader *r,
                        struct error *error)
{
    uint32_t map_offset = get_le32(h + AT_MAP_OFFSET);
    uint32_t data_offset = get_le32(h + AT_DATA_OFFSET);
    uint64_t disk_size = get_le64(h + AT_DISK_SIZE);
    uint32_t count = get_le32(h + AT_BLOCK_COUNT);

    if (map_offset % SECTOR_SIZE)
        return error_set(error, EINVAL,
                         "%s: broken VDI image: the block map is at %u, which "
                         "is not a multiple of %d",
                         r->name, map_offset, SECTOR_SIZE);
    if (data_offset % SECTOR_SIZE)
        return error_set(error, EINVAL,
                         "%s: broken VDI image: the data is at %u, which is "
                         "not a multiple of %d",
                         r->name, data_offset, SECTOR_SIZE);
    if (count > MAX_BLOCKS)
        return error_set(error, EFBIG,
                         "%s: the VDI block map is too large: %u entries, more "
                         "than %" PRIu64,
                         r->name, count, MAX_BLOCKS);
    if (disk_size > count * BLOCK_SIZE)
        return error_set(error, EINVAL,
                         "%s: broken VDI image: its map has %u blocks, too few "
                         "for a disk of %" PRIu64 " bytes",
                         r->name, count, disk_size);
    return 0;
}

/*
 * Set the part of the map that the disk needs. It must be in the file: to QEMU
 * the entries behind its end are zeros, and the disk is block 0 again and
 * again.
 */
static int set_map(struct vdi *v, uint32_t offset, uint64_t disk_size,
                   struct reader *r, struct error *error)
{
    /* At most MAX_BLOCKS entries. */
    uint64_t length = round_up(disk_size, BLOCK_SIZE) / BLOCK_SIZE * ENTRY_SIZE;

    if (length && sum_exceeds(offset, length, r->size))
        return error_set(error, EINVAL,
                         "%s: broken VDI image: its block map, %" PRIu64
                         " bytes at %u, ends beyond the end of the file",
                         r->name, length, offset);
    table_set(&v->map, r, offset, length);
    return 0;
}

/* --- map ---------------------------------------------------------------- */

static struct block look_up(const void *format, const unsigned char *bytes)
{
    const struct vdi *v = format;
    uint32_t entry = get_le32(bytes);

    if (entry >= FIRST_UNSTORED)
        return (struct block){ .kind = EXTENT_ZERO };
    return (struct block){
        .kind = EXTENT_DATA,
        .host_offset = v->data_offset + entry * BLOCK_SIZE,
    };
}

static int vdi_map(struct layer *layer, uint64_t offset, uint64_t length,
                   struct extent *extent, struct error *error)
{
    const struct vdi *v = layer->format_data;

    *extent = (struct extent){
        .offset = offset,
        .length = length,
        .reader = layer->reader,
    };
    return blocks_map(&v->blocks, offset / BLOCK_SIZE, offset % BLOCK_SIZE,
                      extent, error);
}

static void vdi_close(struct layer *layer)
{
    struct vdi *v = layer->format_data;

    table_free(&v->map);
    free(v);
}

static const struct layer_ops vdi_ops = {
    .map = vdi_map,
    .close = vdi_close,
};

int vdi_open(struct layer *layer, const struct layer_options *options,
             struct error *error)
{
    struct vdi *v = calloc(1, sizeof(*v));
    struct reader *r = layer->reader;
    unsigned char h[HEADER_SIZE];
    int err;

    if (!v)
        return error_no_memory(error, r->name);
    layer->ops = &vdi_ops;
    layer->format_data = v;

    err = metadata_read(r, 0, h, sizeof(h), error);
    if (!err)
        err = check_kind(h, r->name, error);
    if (!err && options->snapshot)
        err = error_set(error, ENOTSUP, "%s: a VDI image has no snapshots",
                        r->name);
    if (!err)
        err = check_places(h, r, error);
    if (err)
        return err;

    /* VirtualBox makes disks of odd sizes. */
    layer->size = round_up(get_le64(h + AT_DISK_SIZE), SECTOR_SIZE);
    v->data_offset = get_le32(h + AT_DATA_OFFSET);
    v->blocks = (struct blocks){
        .table = &v->map,
        .entry_size = ENTRY_SIZE,
        .size = BLOCK_SIZE,
        .look_up = look_up,
        .format = v,
    };
    return set_map(v, get_le32(h + AT_MAP_OFFSET), layer->size, r, error);
}
