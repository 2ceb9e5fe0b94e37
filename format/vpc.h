/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VPC, Microsoft's Virtual Hard Disk (VHD): Virtual PC, Hyper-V, XenServer and
 * others make it. A footer of 512 bytes ends the file, and says of which type
 * the image is:
 *   - Fixed: the bytes of the disk come before the footer.
 *   - Dynamic: a copy of the footer begins the file. A header, a table and
 *     blocks follow. Each block begins with a bitmap of its sectors.
 *   - Differencing: the same, with the name of a parent, which has the sectors
 *     that are not in the bitmaps.
 * An image is opened, mapped and closed in vpc.c, with the help of vpc-footer.c
 * and vpc-parent.c.
 */
#ifndef FORMAT_VPC_H
#define FORMAT_VPC_H

#include "common/bytes.h"
#include "common/units.h"
#include "format/blocks.h"

#define VPC_FOOTER_SIZE 512
#define VPC_HEADER_SIZE 1024
#define VPC_COOKIE "conectix" /* of the footer, without the NUL */
#define VPC_COOKIE_SIZE 8
#define VPC_UUID_SIZE 16

enum {
    VPC_FIXED = 2,
    VPC_DYNAMIC = 3,
    VPC_DIFFERENCING = 4,
};

struct vpc {
    uint32_t type; /* images of other types are dynamic */
    bool has_header;
    uint64_t header_offset;
    unsigned char uuid[VPC_UUID_SIZE];
    unsigned char parent_uuid[VPC_UUID_SIZE]; /* differencing */

    /* Dynamic and differencing. */
    uint32_t block_size;
    uint32_t bitmap_size; /* before each block */
    struct table table;
    struct table bitmap; /* of one block */
    struct blocks blocks;
};

/* The end of the file, to QEMU. The footers of early programs have 511 bytes.
 */
static inline uint64_t vpc_file_end(const struct reader *r)
{
    return round_up(r->size, SECTOR_SIZE);
}

/* vpc-footer.c: read the footer, and set the size of the disk. */
int vpc_read_footer(struct layer *layer, struct error *error);

/* vpc-parent.c: set the names and the format of the parent, from the header of
 * the image. */
int vpc_find_parent(struct layer *layer, const unsigned char *header,
                    struct error *error);

/* Check that a parent, which is a VPC image, has the id that the image
 * records. */
int vpc_check_parent(const struct layer *layer, const struct layer *parent,
                     struct error *error);

/* Check that a parent without an id is raw. */
int vpc_check_raw_parent(const struct layer *layer, const struct layer *parent,
                         struct error *error);

#endif
