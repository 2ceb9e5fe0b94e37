/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a VHDX image has at a guest offset. The BAT has an entry for each block
 * of the disk, and one more behind those of each chunk, for the bitmap of the
 * chunk's sectors. So a run of blocks ends with its chunk.
 */
#include <errno.h>
#include <inttypes.h>

#include "common/bytes.h"
#include "format/vhdx.h"

/* An entry: the state, and the offset in units of 1 MiB. */
#define STATE_MASK 7
#define OFFSET_MASK (~(uint64_t)(MiB - 1))

enum state {
    NOT_PRESENT = 0,
    UNDEFINED = 1,
    ZERO = 2,
    UNMAPPED = 3,
    UNMAPPED_0_95 = 5, /* of a draft of the specification */
    FULLY_PRESENT = 6,
    PARTIALLY_PRESENT = 7,
};

/* A bitmap has 1 MiB, and a bit for each sector. */
#define CHUNK_SECTORS (UINT64_C(1) << 23)

/* Why a block cannot be where it is; NULL: it can. The largest offset is
 * 2^64 - 1 MiB, so the end may overflow. */
static const char *misplaced(const struct vhdx *v, uint64_t offset,
                             uint64_t size)
{
    if (offset < VHDX_HEADER_SECTION)
        return "broken VHDX image: a block that has no place in the file";
    if (offset > INT64_MAX - size)
        return "broken VHDX image: a block where no file ends";
    if (ranges_overlap(&v->regions, offset, size))
        return "broken VHDX image: a block that overlaps metadata";
    if (vhdx_replay_overlaps(v, offset, size))
        return "broken VHDX image: a block that is changed by the log, which "
               "is for metadata";
    return NULL;
}

static struct block look_up(const void *format, const unsigned char *bytes)
{
    const struct vhdx *v = format;
    uint64_t entry = get_le64(bytes);
    struct block block = { .kind = EXTENT_ZERO };

    switch ((enum state)(entry & STATE_MASK)) {
    case NOT_PRESENT:
    case UNDEFINED:
    case ZERO:
    case UNMAPPED:
    case UNMAPPED_0_95:
        break;
    case FULLY_PRESENT:
        block.kind = EXTENT_DATA;
        block.host_offset = entry & OFFSET_MASK;
        block.fault = misplaced(v, block.host_offset, v->block_size);
        break;
    case PARTIALLY_PRESENT:
        block.fault = "broken VHDX image: a block that is partly in a parent, "
                      "which the image does not have";
        break;
    default:
        block.fault = "broken VHDX image: a block in an unknown state";
    }
    return block;
}

void vhdx_set_blocks(struct vhdx *v)
{
    v->chunk_size = CHUNK_SECTORS * v->sector_size;
    v->chunk_blocks = v->chunk_size / v->block_size;
    v->blocks = (struct blocks){
        .table = &v->entries,
        .entry_size = VHDX_BAT_ENTRY,
        .size = v->block_size,
        .look_up = look_up,
        .format = v,
    };
}

/* Unlike in other formats, data beyond the end of the file is an error. QEMU
 * made images whose last block ends with the disk. */
static int check_end(const struct vhdx *v, struct extent *extent,
                     struct error *error)
{
    uint64_t rest;

    if (extent->kind != EXTENT_DATA)
        return 0;
    if (extent->host_offset >= v->end)
        return vhdx_broken(v, EIO, error,
                           "the block for guest offset %" PRIu64
                           " lies beyond the end of the file",
                           extent->offset);
    rest = v->end - extent->host_offset;
    if (extent->length > rest)
        extent->length = rest;
    return 0;
}

int vhdx_map(struct layer *layer, uint64_t offset, uint64_t length,
             struct extent *extent, struct error *error)
{
    struct vhdx *v = vhdx_of(layer);
    uint64_t chunk_rest = v->chunk_size - offset % v->chunk_size;
    uint64_t entry = offset / v->block_size + offset / v->chunk_size;
    int err;

    *extent = (struct extent){
        .offset = offset,
        .length = length < chunk_rest ? length : chunk_rest,
        .reader = layer->reader,
    };
    err = blocks_map(&v->blocks, entry, offset % v->block_size, extent, error);
    return err ? err : check_end(v, extent, error);
}
