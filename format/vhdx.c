/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/vhdx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/bytes.h"
#include "format/format.h"

/* How many entries the BAT must have: one for each block of the disk, and one
 * for each chunk but the last, if that has no bitmap. With a parent all entries
 * of all chunks are there. At most 2^26 + 2^14, for 64 TiB of blocks of 1 MiB.
 */
static uint64_t bat_entries(const struct vhdx *v)
{
    uint64_t blocks = round_up(v->layer->size, v->block_size) / v->block_size;

    if (v->has_parent)
        return round_up(blocks, v->chunk_blocks) / v->chunk_blocks *
               (v->chunk_blocks + 1);
    return blocks ? blocks + (blocks - 1) / v->chunk_blocks : 0;
}

static int set_bat(struct vhdx *v, struct error *error)
{
    uint64_t entries;

    vhdx_set_blocks(v);
    entries = bat_entries(v);
    if (entries > v->bat.length / VHDX_BAT_ENTRY)
        return vhdx_broken(v, EINVAL, error,
                           "its BAT has %" PRIu64 " bytes, too few for a disk "
                           "of %" PRIu64 " bytes",
                           v->bat.length, v->layer->size);
    /* QEMU takes the entries that are missing for blocks that were never
     * written. But the file has been cut. */
    if (sum_exceeds(v->bat.offset, entries * VHDX_BAT_ENTRY, v->end))
        return vhdx_broken(v, EINVAL, error,
                           "its BAT, at %" PRIu64
                           ", ends beyond the end of the file",
                           v->bat.offset);
    table_set(&v->entries, v->file, v->bat.offset, entries * VHDX_BAT_ENTRY);
    return 0;
}

static void vhdx_close(struct layer *layer)
{
    struct vhdx *v = vhdx_of(layer);

    table_free(&v->entries);
    table_free(&v->bitmap);
    ranges_free(&v->regions);
    vhdx_replay_free(v);
    free(v);
}

static const struct layer_ops vhdx_ops = {
    .map = vhdx_map,
    .check_backing = vhdx_check_parent,
    .close = vhdx_close,
};

int vhdx_open(struct layer *layer, const struct layer_options *options,
              struct error *error)
{
    struct vhdx *v = calloc(1, sizeof(*v));
    int err;

    if (!v)
        return error_no_memory(error, layer->reader->name);
    v->layer = layer;
    v->file = layer->reader;
    v->end = layer->reader->size;
    layer->ops = &vhdx_ops;
    layer->format_data = v;

    if (options->snapshot)
        return error_set(error, ENOTSUP, "%s: a VHDX image has no snapshots",
                         layer->reader->name);
    err = vhdx_read_header(v, error);
    if (!err)
        err = vhdx_read_log(v, error);
    if (!err)
        err = vhdx_read_regions(v, error);
    if (!err)
        err = vhdx_read_metadata(v, error);
    layer->memory = ranges_memory(&v->regions) + vhdx_replay_memory(v);
    return err ? err : set_bat(v, error);
}
