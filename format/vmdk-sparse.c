/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sparse extents of VMDK, also compressed ones: the header.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/bytes.h"
#include "format/vmdk.h"

/* --- layout --------------------------------------------------------------
 *
 * All numbers are little-endian, places and sizes are in sectors.
 *
 *      0  "KDMV"                   44  entries of a grain table
 *      4  version                  48  redundant grain directory
 *      8  flags                    56  grain directory
 *     12  capacity                 64  overhead
 *     20  granularity              72  unclean shutdown, and bytes that
 *     28  descriptor, its place        text transfers would change
 *     36      and its size         77  compression, of two bytes
 *
 * Whoever writes a stream knows the place of the grain directory in the end.
 * Then there are three sectors at the end of the file: a marker, a footer,
 * which is like the header, and a marker of the end.
 */
#define FLAG_RGD (1 << 1)
#define FLAG_ZEROED_GRAINS (1 << 2)
#define FLAG_MARKERS (1 << 17)

#define COMPRESSION_DEFLATE 1

#define GD_AT_END UINT64_MAX

#define MARKER_EOS 0
#define MARKER_FOOTER 3

/* --- limits --------------------------------------------------------------- */

#define MAX_VERSION 3

/* As in QEMU. A grain table has 2 KiB. */
#define MAX_GT_ENTRIES 512

/* As in QEMU: 1 GiB. A product with MAX_GT_ENTRIES has 2^39 bytes. */
#define MAX_GRANULARITY 0x200000

/* --- header --------------------------------------------------------------- */

void vmdk_parse_header(const unsigned char *p, struct vmdk_header *h)
{
    *h = (struct vmdk_header){
        .version = get_le32(p + 4),
        .flags = get_le32(p + 8),
        .capacity = get_le64(p + 12),
        .granularity = get_le64(p + 20),
        .descriptor_offset = get_le64(p + 28),
        .descriptor_size = get_le64(p + 36),
        .gt_entries = get_le32(p + 44),
        .rgd_offset = get_le64(p + 48),
        .gd_offset = get_le64(p + 56),
        .overhead = get_le64(p + 64),
        .compression = p[77] | p[78] << 8,
    };
}

bool vmdk_is_descriptor(const struct vmdk_header *h)
{
    return h->capacity == 0 && h->descriptor_offset != 0;
}

static uint64_t sectors_of(const struct reader *r)
{
    return r->size / SECTOR_SIZE + (r->size % SECTOR_SIZE != 0);
}

static bool is_marker(const unsigned char *p, uint32_t type)
{
    return get_le32(p + 8) == 0 && get_le32(p + 12) == type;
}

/* The footer takes the place of the header. QEMU looks for it where the file of
 * the descriptor ends, which is another file if the extent has a name. */
static int read_footer(struct reader *r, struct vmdk_header *header,
                       struct error *error)
{
    unsigned char end[3 * SECTOR_SIZE];
    const unsigned char *footer = end + SECTOR_SIZE;
    const unsigned char *eos = end + 2 * SECTOR_SIZE;
    uint64_t sectors = sectors_of(r);
    int err;

    if (sectors < 3)
        return error_set(error, EINVAL,
                         "%s: broken VMDK image: it is too small for its "
                         "footer",
                         r->name);
    err =
        metadata_read(r, (sectors - 3) * SECTOR_SIZE, end, sizeof(end), error);
    if (err)
        return err;
    if (memcmp(footer, "KDMV", 4) != 0 || !is_marker(end, MARKER_FOOTER) ||
        !is_marker(eos, MARKER_EOS) || get_le64(eos) != 0)
        return error_set(error, EINVAL,
                         "%s: broken VMDK image: there is no footer at offset "
                         "%" PRIu64 "; the file may be truncated",
                         r->name, (sectors - 3) * SECTOR_SIZE);
    vmdk_parse_header(footer, header);
    return 0;
}

static int check_header(const struct reader *r, const struct vmdk_header *h,
                        struct error *error)
{
    if (h->version > MAX_VERSION)
        return error_set(error, ENOTSUP,
                         "%s: version %" PRIu32 " of VMDK is not supported",
                         r->name, h->version);
    if (h->gt_entries == 0 || h->gt_entries > MAX_GT_ENTRIES)
        return error_set(error, EINVAL,
                         "%s: broken VMDK image: a grain table has %" PRIu32
                         " entries, not 1 to %d",
                         r->name, h->gt_entries, MAX_GT_ENTRIES);
    if (h->overhead > sectors_of(r))
        return error_set(error, EINVAL,
                         "%s: broken VMDK image: the file is truncated: its "
                         "grains begin at sector %" PRIu64
                         ", but it has %" PRIu64 " sectors",
                         r->name, h->overhead, sectors_of(r));
    /* Nothing is read from it, but QEMU does. */
    if (h->flags & FLAG_RGD && h->rgd_offset > VMDK_MAX_SECTORS)
        return error_set(error, EINVAL,
                         "%s: broken VMDK image: its redundant grain directory "
                         "is at sector %" PRIu64,
                         r->name, h->rgd_offset);
    return 0;
}

int vmdk_open_sparse(struct vmdk *v, struct reader *r, struct vmdk_header *h,
                     struct error *error)
{
    struct vmdk_extent e = { .kind = VMDK_SPARSE, .reader = r };
    uint64_t span;
    int err = 0;

    if (h->gd_offset == GD_AT_END)
        err = read_footer(r, h, error);
    if (!err)
        err = check_header(r, h, error);
    if (err)
        return err;
    if (h->granularity == 0 || h->granularity > MAX_GRANULARITY)
        return error_set(error, EINVAL,
                         "%s: broken VMDK image: a grain has %" PRIu64
                         " sectors, not 1 to %d",
                         r->name, h->granularity, MAX_GRANULARITY);
    span = h->gt_entries * h->granularity;
    e.grain_size = h->granularity * SECTOR_SIZE;
    e.gt_entries = h->gt_entries;
    e.gd_entries = h->capacity / span + (h->capacity % span != 0);
    e.entry_size = 4;
    e.zeroed_grains = h->flags & FLAG_ZEROED_GRAINS;
    /* The flag for compression does not matter to QEMU. */
    if (h->compression == COMPRESSION_DEFLATE)
        e.codec = h->flags & FLAG_MARKERS ? CODEC_ZLIB_MARKED : CODEC_ZLIB;
    return vmdk_add_sparse(v, &e, h->capacity, h->gd_offset, error);
}
