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

/* The state of a bitmap. */
#define BITMAP_PRESENT 6

/* A bitmap has a bit for each sector: 1 if it is in this file. */
#define BITMAP_SIZE MiB
#define CHUNK_SECTORS (BITMAP_SIZE * 8)

/* Why a block cannot be where it is; NULL: it can. The largest offset is
 * 2^64 - 1 MiB, so the end may overflow. */
static const char *misplaced(const struct vhdx *v, uint64_t offset,
                             uint64_t size)
{
    if (offset < VHDX_HEADER_SECTION)
        return "broken VHDX image: a block within the header section";
    if (offset > INT64_MAX - size)
        return "broken VHDX image: a block beyond the largest possible file";
    if (ranges_overlap(&v->regions, offset, size))
        return "broken VHDX image: a block that overlaps metadata";
    return NULL;
}

static const char *misplaced_block(const struct vhdx *v, uint64_t offset)
{
    if (vhdx_replay_overlaps(v, offset, v->block_size))
        return "broken VHDX image: a block that is changed by the log, which "
               "is for metadata";
    return misplaced(v, offset, v->block_size);
}

static struct block look_up(const void *format, const unsigned char *bytes)
{
    const struct vhdx *v = format;
    uint64_t entry = get_le64(bytes);
    struct block block = { .kind = EXTENT_ZERO };

    switch ((enum state)(entry & STATE_MASK)) {
    case NOT_PRESENT:
        block.kind = v->has_parent ? EXTENT_UNALLOCATED : EXTENT_ZERO;
        break;
    case UNDEFINED:
    case ZERO:
    case UNMAPPED:
    case UNMAPPED_0_95:
        break;
    case FULLY_PRESENT:
        block.kind = EXTENT_DATA;
        block.host_offset = entry & OFFSET_MASK;
        block.fault = misplaced_block(v, block.host_offset);
        break;
    case PARTIALLY_PRESENT: /* with a parent: map_partial() */
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

/* --- blocks that are partly in the parent ------------------------------- */

static int set_fault(const struct vhdx *v, const char *fault,
                     const struct extent *extent, struct error *error)
{
    return error_set(error, EIO, "%s: %s: at guest offset %" PRIu64,
                     v->layer->reader->name, fault, extent->offset);
}

/* Choose the bitmap of a chunk. Its entry is the last one of the chunk. */
static int set_bitmap(struct vhdx *v, uint64_t chunk,
                      const struct extent *extent, struct error *error)
{
    uint64_t index = chunk * (v->chunk_blocks + 1) + v->chunk_blocks;
    const unsigned char *bytes;
    const char *fault;
    uint64_t entry, offset;
    size_t count;
    int err;

    if (v->bitmap_offset && v->bitmap_chunk == chunk)
        return 0;
    err = table_get(&v->entries, index * VHDX_BAT_ENTRY, &bytes, &count, error);
    if (err)
        return err;
    entry = get_le64(bytes);
    offset = entry & OFFSET_MASK;
    fault = misplaced(v, offset, BITMAP_SIZE);
    if ((entry & STATE_MASK) != BITMAP_PRESENT)
        fault = "broken VHDX image: a block that is partly in the parent, but "
                "no bitmap that says which part";
    else if (!fault && sum_exceeds(offset, BITMAP_SIZE, v->end))
        fault = "broken VHDX image: a bitmap of sectors beyond the end of the "
                "file";
    if (fault)
        return set_fault(v, fault, extent, error);
    table_set(&v->bitmap, v->file, offset, BITMAP_SIZE);
    v->bitmap_chunk = chunk;
    v->bitmap_offset = offset;
    return 0;
}

/* The number of equal bits, of `count` bytes, from a bit of the first of them
 * upwards. It may stop when it has `enough` of them. */
static uint64_t run_of_bits(const unsigned char *bytes, size_t count,
                            unsigned from, uint64_t enough)
{
    bool one = bytes[0] >> from & 1;
    unsigned char all = one ? 0xff : 0;
    uint64_t bit = from, end = (uint64_t)count * 8;

    while (bit < end && bit - from < enough) {
        if (bit % 8 == 0 && bytes[bit / 8] == all)
            bit += 8;
        else if ((bytes[bit / 8] >> bit % 8 & 1) == one)
            bit++;
        else
            break;
    }
    return bit - from;
}

/* Map sectors of one block that are all in this file, or all in the parent. */
static int map_partial(struct vhdx *v, uint64_t entry, struct extent *extent,
                       struct error *error)
{
    uint64_t block = entry & OFFSET_MASK;
    uint64_t skip = extent->offset % v->block_size;
    uint64_t in_chunk = extent->offset % v->chunk_size;
    uint64_t sector = in_chunk / v->sector_size, run;
    const char *fault = misplaced_block(v, block);
    const unsigned char *bytes;
    size_t count;
    int err;

    if (fault)
        return set_fault(v, fault, extent, error);
    err = set_bitmap(v, extent->offset / v->chunk_size, extent, error);
    if (!err)
        err = table_get(&v->bitmap, sector / 8, &bytes, &count, error);
    if (err)
        return err;
    if (extent->length > v->block_size - skip)
        extent->length = v->block_size - skip;
    run = run_of_bits(bytes, count, sector % 8,
                      extent->length / v->sector_size + 1);
    run = run * v->sector_size - in_chunk % v->sector_size;
    if (extent->length > run)
        extent->length = run;
    extent->kind =
        bytes[0] >> sector % 8 & 1 ? EXTENT_DATA : EXTENT_UNALLOCATED;
    extent->host_offset = block + skip;
    return 0;
}

/* Map blocks that are not, if the first one is not. */
static int map_blocks(struct vhdx *v, struct extent *extent,
                      struct error *error)
{
    uint64_t index =
        extent->offset / v->block_size + extent->offset / v->chunk_size;
    const unsigned char *bytes;
    size_t count;
    int err;

    if (v->has_parent) {
        uint64_t entry;

        err = table_get(&v->entries, index * VHDX_BAT_ENTRY, &bytes, &count,
                        error);
        if (err)
            return err;
        entry = get_le64(bytes);
        if ((entry & STATE_MASK) == PARTIALLY_PRESENT)
            return map_partial(v, entry, extent, error);
    }
    return blocks_map(&v->blocks, index, extent->offset % v->block_size, extent,
                      error);
}

int vhdx_map(struct layer *layer, uint64_t offset, uint64_t length,
             struct extent *extent, struct error *error)
{
    struct vhdx *v = vhdx_of(layer);
    uint64_t chunk_rest = v->chunk_size - offset % v->chunk_size;
    int err;

    *extent = (struct extent){
        .offset = offset,
        .length = length < chunk_rest ? length : chunk_rest,
        .reader = layer->reader,
    };
    err = map_blocks(v, extent, error);
    return err ? err : check_end(v, extent, error);
}
