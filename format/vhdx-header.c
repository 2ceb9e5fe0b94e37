/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The headers of a VHDX image. There are two, which are written in turn, so
 * that one of them is intact whatever happens.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/bytes.h"
#include "format/vhdx.h"

#define SIGNATURE "vhdxfile"

/* Offsets in a header. */
enum {
    SEQUENCE_NUMBER = 8,
    DATA_WRITE_GUID = 32,
    LOG_GUID = 48,
    LOG_VERSION = 64,
    VERSION = 66,
    LOG_LENGTH = 68,
    LOG_OFFSET = 72,
    HEADER_END = 80, /* the rest is reserved */
};

static bool is_valid(const unsigned char *h)
{
    return vhdx_is_intact(h, VHDX_HEADER_SIZE, "head") &&
           get_le16(h + VERSION) == 1;
}

/* Choose the header that was written last. Disk2vhd writes two that are the
 * same. */
static const unsigned char *choose(const unsigned char *first,
                                   const unsigned char *second)
{
    uint64_t a, b;

    if (!is_valid(first))
        return is_valid(second) ? second : NULL;
    if (!is_valid(second))
        return first;
    a = get_le64(first + SEQUENCE_NUMBER);
    b = get_le64(second + SEQUENCE_NUMBER);
    if (a == b && memcmp(first, second, HEADER_END) != 0)
        return NULL;
    return a >= b ? first : second;
}

/* As in QEMU, the place of the log must be right even if the log is empty. */
static int set_log(struct vhdx *v, const unsigned char *h, struct error *error)
{
    unsigned version = get_le16(h + LOG_VERSION);

    v->log.offset = get_le64(h + LOG_OFFSET);
    v->log.length = get_le32(h + LOG_LENGTH);
    if (version != 0)
        return vhdx_broken(v, EINVAL, error,
                           "the version of its log is %u, but must be 0",
                           version);
    if (v->log.offset < VHDX_HEADER_SECTION || v->log.offset % MiB)
        return vhdx_broken(v, EINVAL, error,
                           "its log is at %" PRIu64 ", but must be at a "
                           "multiple of 1 MiB",
                           v->log.offset);
    if (sum_exceeds(v->log.offset, v->log.length, INT64_MAX))
        return vhdx_broken(v, EINVAL, error,
                           "its log is at %" PRIu64 ", beyond the largest file",
                           v->log.offset);
    if (ranges_add(&v->regions, v->log.offset, v->log.length))
        return error_no_memory(error, v->layer->reader->name);
    return 0;
}

int vhdx_read_header(struct vhdx *v, struct error *error)
{
    unsigned char headers[2][VHDX_HEADER_SIZE], signature[8];
    struct reader *r = v->layer->reader;
    const unsigned char *h;
    int err = metadata_read(r, 0, signature, sizeof(signature), error);

    if (err)
        return err;
    if (memcmp(signature, SIGNATURE, sizeof(signature)) != 0)
        return error_set(error, EINVAL, "%s: not a VHDX image", r->name);
    err = metadata_read(r, VHDX_HEADER_1, headers[0], VHDX_HEADER_SIZE, error);
    if (!err)
        err = metadata_read(r, VHDX_HEADER_2, headers[1], VHDX_HEADER_SIZE,
                            error);
    if (err)
        return err;
    h = choose(headers[0], headers[1]);
    if (!h)
        return vhdx_broken(v, EINVAL, error, "neither of its headers is valid");
    memcpy(v->data_write_guid.bytes, h + DATA_WRITE_GUID,
           sizeof(v->data_write_guid));
    memcpy(v->log_guid.bytes, h + LOG_GUID, sizeof(v->log_guid));
    return set_log(v, h, error);
}
