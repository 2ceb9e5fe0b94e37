/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VMDK disk, to which one extent after the other is added.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/bytes.h"
#include "format/vmdk.h"

/* As in QEMU: 2^25 entries, of 8 bytes at most. */
#define MAX_GD_ENTRIES (32 * 1024 * 1024)

/* A worker needs memory for the grain and for twice as many compressed bytes.
 * All known writers use 64 KiB. QEMU has no limit. */
#define MAX_COMPRESSED_GRAIN (4 * MiB)

int vmdk_add_extent(struct vmdk *v, const struct vmdk_extent *extent,
                    uint64_t sectors, struct error *error)
{
    struct vmdk_extent *e;

    if (sum_exceeds(v->size / SECTOR_SIZE, sectors, VMDK_MAX_SECTORS))
        return error_set(error, EFBIG, "%s: the disk is too large",
                         v->layer->reader->name);
    if (v->extent_count == v->extent_room) {
        size_t room = v->extent_room ? 2 * v->extent_room : 1;
        struct vmdk_extent *extents =
            realloc(v->extents, room * sizeof(*extents));

        if (!extents)
            return error_no_memory(error, v->layer->reader->name);
        v->extents = extents;
        v->extent_room = room;
    }
    e = &v->extents[v->extent_count++];
    *e = *extent;
    e->start = v->size;
    v->size += sectors * SECTOR_SIZE;
    e->end = v->size;
    return 0;
}

int vmdk_add_sparse(struct vmdk *v, struct vmdk_extent *e, uint64_t sectors,
                    uint64_t gd_sector, struct error *error)
{
    const char *name = e->reader->name;
    uint64_t granularity = e->grain_size / SECTOR_SIZE;
    uint64_t size = (uint64_t)e->gd_entries * e->entry_size;

    if (e->gd_entries > MAX_GD_ENTRIES)
        return error_set(error, EFBIG,
                         "%s: broken VMDK image: its grain directory has "
                         "%" PRIu64 " entries, more than %d",
                         name, e->gd_entries, MAX_GD_ENTRIES);
    /* At most 2^25 entries, of 2^32 sectors each (COWD) */
    if (e->gd_entries * e->gt_entries * granularity < sectors)
        return error_set(error, EINVAL,
                         "%s: broken VMDK image: its grain directory has "
                         "%" PRIu64 " entries, too few for the disk",
                         name, e->gd_entries);
    if (sum_exceeds(gd_sector, size / SECTOR_SIZE + 1, VMDK_MAX_SECTORS))
        return error_set(error, EINVAL,
                         "%s: broken VMDK image: its grain directory is at "
                         "sector %" PRIu64,
                         name, gd_sector);
    if (e->codec != CODEC_NONE && e->grain_size > MAX_COMPRESSED_GRAIN)
        return error_set(error, ENOTSUP,
                         "%s: compressed grains of %" PRIu64 " bytes are not "
                         "supported, %" PRIu64 " at most",
                         name, e->grain_size, MAX_COMPRESSED_GRAIN);
    e->gd_offset = gd_sector * SECTOR_SIZE;
    return vmdk_add_extent(v, e, sectors, error);
}
