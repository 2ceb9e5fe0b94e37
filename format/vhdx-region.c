/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The region table of a VHDX image says where its other tables are. There are
 * two copies. QEMU reads only the first; here the second one is read if the
 * first is damaged, as the specification intends.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/bytes.h"
#include "format/vhdx.h"

/* Offsets in the table, */
#define ENTRY_COUNT 8
#define ENTRIES 16
/* and in an entry, */
enum {
    GUID = 0,
    FILE_OFFSET = 16,
    LENGTH = 24,
    REQUIRED = 28, /* bit 0: refuse the image if the region is unknown */
    ENTRY_SIZE = 32,
};
/* which make it full: (64 KiB - 16) / 32. */
#define MAX_ENTRIES 2047

static const struct vhdx_guid bat_guid = VHDX_GUID(
    0x2dc27766, 0xf623, 0x4200, 0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08);
static const struct vhdx_guid metadata_guid = VHDX_GUID(
    0x8b7ca206, 0x4790, 0x4b9a, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e);

/* Whether a region overlaps the log or a region before it. The table has few
 * entries, so all of them are compared. */
static bool overlaps(const struct ranges *regions,
                     const struct vhdx_region *region)
{
    for (size_t i = 0; i < regions->count; i++) {
        const struct range *other = &regions->list[i];

        if (region->offset < other->end &&
            other->start < region->offset + region->length)
            return true;
    }
    return false;
}

static int add_region(struct vhdx *v, const unsigned char *entry,
                      struct vhdx_region *region, struct error *error)
{
    region->offset = get_le64(entry + FILE_OFFSET);
    region->length = get_le32(entry + LENGTH);
    if (region->offset < VHDX_HEADER_SECTION ||
        sum_exceeds(region->offset, region->length, INT64_MAX))
        return vhdx_broken(v, EINVAL, error,
                           "a region has an invalid offset: %" PRIu64,
                           region->offset);
    if (overlaps(&v->regions, region))
        return vhdx_broken(v, EINVAL, error,
                           "the region at %" PRIu64 " overlaps another one",
                           region->offset);
    if (ranges_add(&v->regions, region->offset, region->length))
        return error_no_memory(error, v->layer->reader->name);
    return 0;
}

static int set_known(struct vhdx *v, struct vhdx_region *known,
                     const struct vhdx_region *region, const char *what,
                     struct error *error)
{
    if (known->offset)
        return vhdx_broken(v, EINVAL, error, "there are two regions for %s",
                           what);
    *known = *region;
    return 0;
}

static int read_entry(struct vhdx *v, const unsigned char *entry,
                      struct error *error)
{
    struct vhdx_region region;
    int err = add_region(v, entry, &region, error);

    if (err)
        return err;
    if (vhdx_guid_equal(&bat_guid, entry + GUID))
        return set_known(v, &v->bat, &region, "the BAT", error);
    if (vhdx_guid_equal(&metadata_guid, entry + GUID))
        return set_known(v, &v->metadata, &region, "metadata", error);
    if (get_le32(entry + REQUIRED) & 1)
        return error_set(error, ENOTSUP,
                         "%s: the VHDX image has a region that is required but "
                         "unknown, at offset %" PRIu64,
                         v->layer->reader->name, region.offset);
    return 0;
}

static int read_table(struct vhdx *v, const unsigned char *table,
                      struct error *error)
{
    uint32_t count = get_le32(table + ENTRY_COUNT);
    int err = 0;

    if (count > MAX_ENTRIES)
        return vhdx_broken(v, EINVAL, error,
                           "the region table has %u entries, more than %d",
                           count, MAX_ENTRIES);
    for (uint32_t i = 0; !err && i < count; i++)
        err = read_entry(v, table + ENTRIES + i * ENTRY_SIZE, error);
    if (err)
        return err;
    if (!v->bat.offset || !v->metadata.offset)
        return vhdx_broken(v, EINVAL, error, "there is no region for %s",
                           v->bat.offset ? "metadata" : "the BAT");
    ranges_sort(&v->regions);
    return 0;
}

int vhdx_read_regions(struct vhdx *v, struct error *error)
{
    static const uint64_t copies[] = { VHDX_REGION_TABLE_1,
                                       VHDX_REGION_TABLE_2 };
    unsigned char *table = malloc(VHDX_REGION_TABLE_SIZE);
    bool intact = false;
    int err = 0;

    if (!table)
        return error_no_memory(error, v->layer->reader->name);
    for (int i = 0; !err && !intact && i < 2; i++) {
        err = metadata_read(v->file, copies[i], table, VHDX_REGION_TABLE_SIZE,
                            error);
        intact = !err && vhdx_is_intact(table, VHDX_REGION_TABLE_SIZE, "regi");
    }
    if (intact)
        err = read_table(v, table, error);
    else if (!err)
        err = vhdx_broken(v, EINVAL, error,
                          "neither copy of its region table is valid");
    free(table);
    return err;
}
