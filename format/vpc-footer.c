/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The footer of a VPC image: its type, and the size of the disk.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/array.h"
#include "common/bytes.h"
#include "format/format.h"
#include "format/vpc.h"

/* The footer. All numbers are big-endian. */
#define AT_HEADER_OFFSET 16
#define AT_CREATOR 28
#define CREATOR_SIZE 4
#define AT_CURRENT_SIZE 48
#define AT_CYLINDERS 56
#define AT_HEADS 58
#define AT_SECTORS 59 /* of a track */
#define AT_TYPE 60
#define AT_CHECKSUM 64
#define AT_UUID 68

/* QEMU's limit: 2040 GiB. */
#define MAX_SECTORS 0xff000000

/* The largest geometry. The disk may be larger. */
#define MAX_GEOMETRY (UINT64_C(65535) * 16 * 255)

static bool is_footer(const unsigned char *footer)
{
    return memcmp(footer, VPC_COOKIE, VPC_COOKIE_SIZE) == 0;
}

/* The sum of all bytes but the checksum's own. */
static uint32_t checksum(const unsigned char *footer)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < VPC_FOOTER_SIZE; i++) {
        if (i < AT_CHECKSUM || i >= AT_CHECKSUM + 4)
            sum += footer[i];
    }
    return ~sum;
}

/* Read the footer: as in QEMU, the one at the start wins. *at is its offset.
 */
static int read_footer(struct reader *r, unsigned char *f, uint64_t *at,
                       struct error *error)
{
    int err;

    *at = 0;
    err = metadata_read(r, *at, f, VPC_FOOTER_SIZE, error);
    if (err)
        return err;
    if (!is_footer(f) && r->size > VPC_FOOTER_SIZE) {
        *at = vpc_file_end(r) - VPC_FOOTER_SIZE;
        err = metadata_read(r, *at, f, VPC_FOOTER_SIZE, error);
        if (err)
            return err;
    }
    if (!is_footer(f))
        return error_set(error, EINVAL,
                         "%s: not a VPC image: neither its start nor its end "
                         "has the cookie '%s'",
                         r->name, VPC_COOKIE);
    if (get_be32(f + AT_CHECKSUM) != checksum(f))
        return error_set(error, EINVAL,
                         "%s: broken VPC image: the checksum of the footer at "
                         "%" PRIu64 " is wrong",
                         r->name, *at);
    return 0;
}

/* Whether the program that made an image, and those that read its images, take
 * the size of the disk from current_size. To others, the geometry counts. */
static bool uses_current_size(const unsigned char *footer)
{
    static const char creators[][CREATOR_SIZE] = {
        { 'w', 'i', 'n', ' ' },  /* Hyper-V */
        { 'q', 'e', 'm', '2' },  /* QEMU */
        { 'd', '2', 'v', ' ' },  /* in QEMU's list. Disk2vhd writes a NUL in
                                  * place of the blank, and is not meant */
        { 'C', 'T', 'X', 'S' },  /* XenConverter */
        { 't', 'a', 'p', '\0' }, /* XenServer */
    };

    for (size_t i = 0; i < ARRAY_SIZE(creators); i++) {
        if (memcmp(footer + AT_CREATOR, creators[i], CREATOR_SIZE) == 0)
            return true;
    }
    return false;
}

static int set_size(struct layer *layer, const unsigned char *f,
                    struct error *error)
{
    uint64_t sectors =
        (uint64_t)get_be16(f + AT_CYLINDERS) * f[AT_HEADS] * f[AT_SECTORS];

    if (uses_current_size(f) || sectors == MAX_GEOMETRY)
        sectors = get_be64(f + AT_CURRENT_SIZE) / SECTOR_SIZE;
    if (sectors > MAX_SECTORS)
        return error_set(error, EFBIG,
                         "%s: the VPC disk is too large: %" PRIu64
                         " sectors, more than %u",
                         layer->reader->name, sectors, MAX_SECTORS);
    layer->size = sectors * SECTOR_SIZE;
    return 0;
}

int vpc_read_footer(struct layer *layer, struct error *error)
{
    struct vpc *v = layer->format_data;
    struct reader *r = layer->reader;
    unsigned char f[VPC_FOOTER_SIZE];
    uint64_t at;
    int err = read_footer(r, f, &at, error);

    if (!err)
        err = set_size(layer, f, error);
    if (err)
        return err;
    v->type = get_be32(f + AT_TYPE);
    v->header_offset = get_be64(f + AT_HEADER_OFFSET);
    memcpy(v->uuid, f + AT_UUID, VPC_UUID_SIZE);

    /* As in QEMU, an image that begins with a footer has a header, and is
     * dynamic if its type is unknown. Others are fixed. */
    v->has_header = at == 0;
    if (v->has_header || v->type == VPC_FIXED)
        return 0;
    return error_set(
        error, EINVAL,
        "%s: broken VPC image: it is of type %u, which begins with "
        "a footer, but it has one at its end alone",
        r->name, v->type);
}

/* QEMU follows no name in an image, but where it reads a differencing one, such
 * as in an option string, it leaves the parent out. */
int vpc_names(struct reader *r, const struct name_visitor *visitor,
              struct error *error)
{
    unsigned char f[VPC_FOOTER_SIZE];
    int err = metadata_read(r, 0, f, sizeof(f), error);

    (void)visitor;
    if (err || !is_footer(f) || get_be32(f + AT_TYPE) != VPC_DIFFERENCING)
        return err;
    return error_set(error, ENOTSUP,
                     "%s: QEMU would leave out the parent of this differencing "
                     "VPC image",
                     r->name);
}
