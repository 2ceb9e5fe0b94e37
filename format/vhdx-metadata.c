/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The metadata of a VHDX image: a table of items, which describe the disk.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/array.h"
#include "common/bytes.h"
#include "format/vhdx.h"

/* The table, which begins the region, */
#define TABLE_SIZE (64 * KiB)
#define ENTRY_COUNT 10
#define ENTRIES 32
/* and an entry. As in QEMU, an item may be anywhere behind the start of the
 * region, and its length is not looked at where the item has only one. */
enum {
    ITEM_ID = 0,
    OFFSET = 16, /* from the start of the region */
    LENGTH = 20,
    FLAGS = 24, /* bit 2: refuse the image if the item is unknown */
    ENTRY_SIZE = 32,
};
#define FLAG_REQUIRED 4
/* (64 KiB - 32) / 32 */
#define MAX_ENTRIES 2047
#define MAX_ITEM MiB /* by the specification */

/* Flags of the file parameters. A fixed image has the first one, and differs in
 * nothing else. */
#define LEAVE_BLOCKS_ALLOCATED 1
#define HAS_PARENT 2

#define MIN_BLOCK_SIZE MiB
#define MAX_BLOCK_SIZE (256 * MiB)

/* By the specification: 64 TiB. */
#define MAX_DISK_SIZE (64 * KiB * GiB)

enum item {
    FILE_PARAMETERS,
    DISK_SIZE,
    DISK_ID,
    LOGICAL_SECTOR_SIZE,
    PHYSICAL_SECTOR_SIZE,
    PARENT_LOCATOR,
    ITEM_COUNT,
};

static const struct {
    const char *name;
    struct vhdx_guid id;
} items[ITEM_COUNT] = {
    [FILE_PARAMETERS] = { "file parameters",
                          VHDX_GUID(0xcaa16737, 0xfa36, 0x4d43, 0xb3, 0xb6,
                                    0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b) },
    [DISK_SIZE] = { "size of the disk",
                    VHDX_GUID(0x2fa54224, 0xcd1b, 0x4876, 0xb2, 0x11, 0x5d,
                              0xbe, 0xd8, 0x3b, 0xf4, 0xb8) },
    [DISK_ID] = { "identity of the disk",
                  VHDX_GUID(0xbeca12ab, 0xb2e6, 0x4523, 0x93, 0xef, 0xc3, 0x09,
                            0xe0, 0x00, 0xc7, 0x46) },
    [LOGICAL_SECTOR_SIZE] = { "logical sector size",
                              VHDX_GUID(0x8141bf1d, 0xa96f, 0x4709, 0xba, 0x47,
                                        0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f) },
    [PHYSICAL_SECTOR_SIZE] = { "physical sector size",
                               VHDX_GUID(0xcda348c7, 0x445d, 0x4471, 0x9c, 0xc9,
                                         0xe9, 0x88, 0x52, 0x51, 0xc5, 0x56) },
    [PARENT_LOCATOR] = { "parent locator",
                         VHDX_GUID(0xa8d35f2d, 0xb30b, 0x454d, 0xab, 0xf7, 0xd3,
                                   0xd8, 0x48, 0x34, 0xab, 0x0c) },
};

/* The entries of the items that are known; NULL: there is no such item. */
struct found {
    const unsigned char *entries[ITEM_COUNT];
};

/* --- the table ---------------------------------------------------------- */

static int find_item(struct vhdx *v, const unsigned char *entry,
                     struct found *found, struct error *error)
{
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        if (!vhdx_guid_equal(&items[i].id, entry + ITEM_ID))
            continue;
        if (found->entries[i])
            return vhdx_broken(v, EINVAL, error,
                               "there are two metadata items for the %s",
                               items[i].name);
        found->entries[i] = entry;
        return 0;
    }
    if (get_le32(entry + FLAGS) & FLAG_REQUIRED)
        return error_set(error, ENOTSUP,
                         "%s: the VHDX image has a metadata item that is "
                         "required but unknown",
                         v->layer->reader->name);
    return 0;
}

static int find_items(struct vhdx *v, const unsigned char *table,
                      struct found *found, struct error *error)
{
    unsigned count = get_le16(table + ENTRY_COUNT);
    int err = 0;

    if (memcmp(table, "metadata", 8) != 0)
        return vhdx_broken(v, EINVAL, error,
                           "there is no metadata table at offset %" PRIu64,
                           v->metadata.offset);
    if (count > MAX_ENTRIES)
        return vhdx_broken(v, EINVAL, error,
                           "the metadata table has %u entries, more than %d",
                           count, MAX_ENTRIES);
    for (unsigned i = 0; !err && i < count; i++)
        err = find_item(v, table + ENTRIES + i * ENTRY_SIZE, found, error);
    for (size_t i = 0; !err && i < ITEM_COUNT; i++) {
        if (!found->entries[i] && i != PARENT_LOCATOR)
            err = vhdx_broken(v, EINVAL, error,
                              "there is no metadata item for the %s",
                              items[i].name);
    }
    return err;
}

/* --- items -------------------------------------------------------------- */

static int read_item(struct vhdx *v, const unsigned char *entry, void *buf,
                     size_t len, struct error *error)
{
    assert(entry); /* find_items() */
    return metadata_read(v->file, v->metadata.offset + get_le32(entry + OFFSET),
                         buf, len, error);
}

static int read_parameters(struct vhdx *v, const struct found *found,
                           struct error *error)
{
    unsigned char item[8];
    bool has_locator = found->entries[PARENT_LOCATOR];
    uint32_t flags;
    int err = read_item(v, found->entries[FILE_PARAMETERS], item, sizeof(item),
                        error);

    if (err)
        return err;
    v->block_size = get_le32(item);
    if (v->block_size < MIN_BLOCK_SIZE || v->block_size > MAX_BLOCK_SIZE ||
        (v->block_size & (v->block_size - 1)) != 0)
        return vhdx_broken(v, EINVAL, error,
                           "the block size is %u, but must be a power of 2 "
                           "from 1 MiB to 256 MiB",
                           v->block_size);
    flags = get_le32(item + 4);
    v->has_parent = flags & HAS_PARENT;
    if (v->has_parent != has_locator)
        return vhdx_broken(v, EINVAL, error,
                           has_locator ? "it says where its parent is, and "
                                         "that it has none"
                                       : "it does not say where its parent is");
    return 0;
}

static int read_sector_size(struct vhdx *v, const struct found *found,
                            struct error *error)
{
    unsigned char item[4];
    int err = read_item(v, found->entries[LOGICAL_SECTOR_SIZE], item,
                        sizeof(item), error);

    if (err)
        return err;
    v->sector_size = get_le32(item);
    if (v->sector_size != 512 && v->sector_size != 4096)
        return vhdx_broken(v, EINVAL, error,
                           "the sector size is %u, but must be 512 or 4096",
                           v->sector_size);
    return 0;
}

static int read_disk_size(struct vhdx *v, const struct found *found,
                          struct error *error)
{
    unsigned char item[8];
    uint64_t size;
    int err =
        read_item(v, found->entries[DISK_SIZE], item, sizeof(item), error);

    if (err)
        return err;
    size = get_le64(item);
    if (size > MAX_DISK_SIZE)
        return vhdx_broken(v, EFBIG, error,
                           "the disk has %" PRIu64 " bytes, more than 64 TiB",
                           size);
    v->layer->size = size - size % v->sector_size;
    return 0;
}

/* The items of a locator are somewhere in it, so all of it is read. */
static int read_locator(struct vhdx *v, const struct found *found,
                        struct error *error)
{
    const unsigned char *entry = found->entries[PARENT_LOCATOR];
    unsigned char *locator;
    uint32_t len;
    int err;

    assert(entry); /* read_parameters() */
    len = get_le32(entry + LENGTH);
    if (len > MAX_ITEM)
        return vhdx_broken(v, EFBIG, error,
                           "the parent locator has %u bytes, more than 1 MiB",
                           len);
    locator = malloc(len + 1);
    if (!locator)
        return error_no_memory(error, v->layer->reader->name);
    err = read_item(v, entry, locator, len, error);
    if (!err)
        err = vhdx_read_locator(v, locator, len, error);
    free(locator);
    return err;
}

int vhdx_read_metadata(struct vhdx *v, struct error *error)
{
    unsigned char *table = malloc(TABLE_SIZE);
    struct found found = { 0 };
    int err;

    if (!table)
        return error_no_memory(error, v->layer->reader->name);
    err = metadata_read(v->file, v->metadata.offset, table, TABLE_SIZE, error);
    if (!err)
        err = find_items(v, table, &found, error);
    if (!err)
        err = read_parameters(v, &found, error);
    if (!err)
        err = read_sector_size(v, &found, error);
    if (!err)
        err = read_disk_size(v, &found, error);
    if (!err && v->has_parent)
        err = read_locator(v, &found, error);
    free(table);
    return err;
}
