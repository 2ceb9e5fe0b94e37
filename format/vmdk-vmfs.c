/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sparse extents as VMFS has them: those with the magic "COWD", and
 * "space-efficient" ones, whose layout is known from QEMU and libvmdk only.
 */
#include <errno.h>
#include <inttypes.h>

#include "common/bytes.h"
#include "format/vmdk.h"

/* --- COWD ---------------------------------------------------------------
 *
 * Little-endian, of 4 bytes each, places and sizes in sectors:
 *
 *      0  "COWD"          16  granularity
 *      4  version         20  grain directory
 *      8  flags           24      and its number of entries
 *     12  capacity
 */
#define COWD_HEADER 28
#define COWD_GT_ENTRIES 4096

/* QEMU refuses more than 2^21. From 2^20 on, it counts the sectors of a grain
 * table modulo 2^32, and crashes or shows something else. */
#define COWD_MAX_GRANULARITY (1 << 20)

int vmdk_open_cowd(struct vmdk *v, struct reader *r, struct error *error)
{
    struct vmdk_extent e = {
        .kind = VMDK_COWD,
        .reader = r,
        .gt_entries = COWD_GT_ENTRIES,
        .entry_size = 4,
    };
    unsigned char h[COWD_HEADER];
    uint64_t granularity;
    int err = metadata_read(r, 0, h, sizeof(h), error);

    if (err)
        return err;
    granularity = get_le32(h + 16);
    if (granularity == 0 || granularity >= COWD_MAX_GRANULARITY)
        return error_set(error, EINVAL,
                         "%s: broken VMDK image: a grain has %" PRIu64
                         " sectors, not 1 to %d",
                         r->name, granularity, COWD_MAX_GRANULARITY - 1);
    e.grain_size = granularity * SECTOR_SIZE;
    e.gd_entries = get_le32(h + 24);
    return vmdk_add_sparse(v, &e, get_le32(h + 12), get_le32(h + 20), error);
}

/* --- seSparse -----------------------------------------------------------
 *
 * Little-endian, of 8 bytes each, places and sizes in sectors:
 *
 *      0  magic               128  grain directory, and its size
 *      8  version             144  grain tables, and their size
 *     16  capacity            192  grains, and their size
 *     24  granularity         208  zeros up to 512
 *     32  size of a grain table
 *     40  flags, and four that are reserved
 *     80  the other header
 *
 * The other header has its magic at 0, and at 24 whether there is a journal to
 * replay. From 32 to 512 it has zeros.
 */
#define SE_MAGIC UINT64_C(0xcafebabe)
#define SE_VOLATILE_MAGIC UINT64_C(0xcafecafe)
#define SE_VERSION UINT64_C(0x0000000200000001)
#define SE_GRANULARITY 8
#define SE_GT_SECTORS 64

static int set_broken(const struct reader *r, const char *what,
                      struct error *error)
{
    return error_set(error, EINVAL, "%s: broken VMDK image: %s", r->name, what);
}

/* What QEMU does not know, it refuses. */
static int check_se_header(const struct reader *r, const unsigned char *h,
                           struct error *error)
{
    if (get_le64(h) != SE_MAGIC)
        return set_broken(r, "this is not an seSparse extent", error);
    if (get_le64(h + 8) != SE_VERSION)
        return error_set(error, ENOTSUP,
                         "%s: version 0x%" PRIx64
                         " of seSparse is not supported",
                         r->name, get_le64(h + 8));
    if (get_le64(h + 24) != SE_GRANULARITY)
        return error_set(error, ENOTSUP,
                         "%s: seSparse with grains of %" PRIu64
                         " sectors is not supported",
                         r->name, get_le64(h + 24));
    if (get_le64(h + 32) != SE_GT_SECTORS)
        return error_set(error, ENOTSUP,
                         "%s: seSparse with grain tables of %" PRIu64
                         " sectors is not supported",
                         r->name, get_le64(h + 32));
    if (!bytes_are_zero(h + 40, 40) ||
        !bytes_are_zero(h + 208, SECTOR_SIZE - 208))
        return error_set(error, ENOTSUP,
                         "%s: seSparse with unknown flags is not supported",
                         r->name);
    return 0;
}

static int check_se_volatile(struct reader *r, uint64_t sector,
                             struct error *error)
{
    unsigned char h[SECTOR_SIZE];
    int err;

    if (sector > VMDK_MAX_SECTORS)
        return set_broken(r, "its second header is too far away", error);
    err = metadata_read(r, sector * SECTOR_SIZE, h, sizeof(h), error);
    if (err)
        return err;
    if (get_le64(h) != SE_VOLATILE_MAGIC)
        return set_broken(r, "its second header is missing", error);
    if (get_le64(h + 24))
        return error_set(error, ENOTSUP,
                         "%s: the extent has a journal that must be replayed, "
                         "which is not supported; shut the virtual machine "
                         "down, or open and close the disk with VMware's tools",
                         r->name);
    if (!bytes_are_zero(h + 32, SECTOR_SIZE - 32))
        return error_set(error, ENOTSUP,
                         "%s: seSparse with an unknown second header is not "
                         "supported",
                         r->name);
    return 0;
}

int vmdk_open_sesparse(struct vmdk *v, struct reader *r, struct error *error)
{
    struct vmdk_extent e = {
        .kind = VMDK_SESPARSE,
        .reader = r,
        .grain_size = SE_GRANULARITY * SECTOR_SIZE,
        .gt_entries = SE_GT_SECTORS * SECTOR_SIZE / 8,
        .entry_size = 8,
    };
    unsigned char h[SECTOR_SIZE];
    uint64_t gd_sectors;
    int err = metadata_read(r, 0, h, sizeof(h), error);

    if (!err)
        err = check_se_header(r, h, error);
    if (!err)
        err = check_se_volatile(r, get_le64(h + 80), error);
    if (err)
        return err;
    gd_sectors = get_le64(h + 136);
    e.gt_base = get_le64(h + 144);
    e.grains_base = get_le64(h + 192);
    if (gd_sectors > VMDK_MAX_SECTORS || e.grains_base > VMDK_MAX_SECTORS)
        return set_broken(r, "its grains or their directory are too far away",
                          error);
    e.gd_entries = gd_sectors * (SECTOR_SIZE / 8);
    return vmdk_add_sparse(v, &e, get_le64(h + 16), get_le64(h + 128), error);
}
