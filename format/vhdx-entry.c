/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An entry of the log of a VHDX image: a header and descriptors, in one sector
 * or more, and then a sector of data for each descriptor that needs one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/crc32c.h"
#include "format/vhdx-log.h"

/* An entry that was overwritten in part may be found again and again, and its
 * CRC is computed each time. But no log that somebody wrote needs as many bytes
 * as this many times its own. */
#define MAX_ROUNDS 8

/* Offsets in the header of an entry, */
enum {
    ENTRY_LENGTH = 8,
    ENTRY_TAIL = 12,
    ENTRY_NUMBER = 16,
    ENTRY_DESCRIPTORS = 24,
    ENTRY_GUID = 32,
    ENTRY_FLUSHED = 48, /* the file had so many bytes, */
    ENTRY_LAST = 56,    /* and gets so many */
    ENTRY_HEADER = 64,
};
/* in a descriptor, */
enum {
    DESCRIPTOR_TRAILING = 4,
    DESCRIPTOR_LEADING = 8, /* or the length of zeros */
    DESCRIPTOR_OFFSET = 16,
    DESCRIPTOR_NUMBER = 24,
    DESCRIPTOR_SIZE = 32,
};
/* and in a sector of data. */
enum {
    DATA_NUMBER_HIGH = 4,
    DATA_NUMBER_LOW = VHDX_LOG_SECTOR - 4,
};

/* A sector of the log; behind the end, the ring begins again. Slices are a
 * multiple of it. */
static int get_sector(struct vhdx_log *log, struct table *table, uint64_t at,
                      const unsigned char **sector, struct error *error)
{
    size_t count;

    return table_get(table, at % log->length, sector, &count, error);
}

/* --- an entry ----------------------------------------------------------- */

/* How many bytes the header and the descriptors take: at most 2^37. */
static uint64_t descriptors_size(const struct vhdx_entry *e)
{
    return round_up(ENTRY_HEADER + (uint64_t)e->descriptors * DESCRIPTOR_SIZE,
                    VHDX_LOG_SECTOR);
}

static bool parse_header(const struct vhdx_log *log, const unsigned char *h,
                         struct vhdx_entry *e)
{
    e->length = get_le32(h + ENTRY_LENGTH);
    e->tail = get_le32(h + ENTRY_TAIL);
    e->number = get_le64(h + ENTRY_NUMBER);
    e->descriptors = get_le32(h + ENTRY_DESCRIPTORS);
    return memcmp(h, "loge", 4) == 0 && e->number != 0 && e->length != 0 &&
           e->length % VHDX_LOG_SECTOR == 0 && e->length <= log->length &&
           vhdx_guid_equal(&log->v->log_guid, h + ENTRY_GUID);
}

static int check_crc(struct vhdx_log *log, const struct vhdx_entry *e,
                     bool *valid, struct error *error)
{
    static const unsigned char no_crc[4];
    uint32_t crc = 0, expected = 0;

    log->checked += e->length;
    if (log->checked > MAX_ROUNDS * log->length)
        return vhdx_refuse_log(log->v, "its entries overlap", error);
    for (uint64_t at = 0; at < e->length; at += VHDX_LOG_SECTOR) {
        const unsigned char *sector;
        size_t skip = 0;
        int err = get_sector(log, &log->data, e->at + at, &sector, error);

        if (err)
            return err;
        if (at == 0) {
            expected = get_le32(sector + 4);
            crc = crc32c(crc32c(0, sector, 4), no_crc, sizeof(no_crc));
            skip = 8;
        }
        crc = crc32c(crc, sector + skip, VHDX_LOG_SECTOR - skip);
    }
    *valid = crc == expected;
    return 0;
}

static int refuse_entry(const struct vhdx_log *log, const struct vhdx_entry *e,
                        struct error *error)
{
    char why[64];

    snprintf(why, sizeof(why), "its entry at %" PRIu64 " is broken", e->at);
    return vhdx_refuse_log(log->v, why, error);
}

/* Read a descriptor. A sector of data is at data_at in the log. */
static int read_descriptor(struct vhdx_log *log, const struct vhdx_entry *e,
                           uint64_t at, uint64_t data_at,
                           struct vhdx_change *change, struct error *error)
{
    const unsigned char *d, *data;
    int err = get_sector(log, &log->descriptors, at - at % VHDX_LOG_SECTOR, &d,
                         error);

    if (err)
        return err;
    d += at % VHDX_LOG_SECTOR;
    *change = (struct vhdx_change){ .offset = get_le64(d + DESCRIPTOR_OFFSET),
                                    .length = VHDX_LOG_SECTOR };
    if (get_le64(d + DESCRIPTOR_NUMBER) != e->number ||
        change->offset % VHDX_LOG_SECTOR != 0)
        return refuse_entry(log, e, error);
    if (memcmp(d, "zero", 4) == 0) {
        change->zeros = true;
        change->length = get_le64(d + DESCRIPTOR_LEADING);
        return change->length % VHDX_LOG_SECTOR ? refuse_entry(log, e, error)
                                                : 0;
    }
    if (memcmp(d, "desc", 4) != 0 || data_at >= e->at + e->length)
        return refuse_entry(log, e, error);
    memcpy(change->leading, d + DESCRIPTOR_LEADING, sizeof(change->leading));
    memcpy(change->trailing, d + DESCRIPTOR_TRAILING, sizeof(change->trailing));
    change->sector = log->v->log.offset + data_at % log->length;
    err = get_sector(log, &log->data, data_at, &data, error);
    if (err)
        return err;
    if (memcmp(data, "data", 4) != 0 ||
        get_le32(data + DATA_NUMBER_HIGH) != e->number >> 32 ||
        get_le32(data + DATA_NUMBER_LOW) != (uint32_t)e->number)
        return refuse_entry(log, e, error);
    return 0;
}

/* Read the descriptors of an entry, and replay them or only check them. */
static int read_descriptors(struct vhdx_log *log, const struct vhdx_entry *e,
                            bool replay, struct error *error)
{
    uint64_t data_at = e->at + descriptors_size(e);
    int err = 0;

    if (e->tail % VHDX_LOG_SECTOR != 0 || descriptors_size(e) > e->length)
        return refuse_entry(log, e, error);
    for (uint32_t i = 0; !err && i < e->descriptors; i++) {
        uint64_t at = e->at + ENTRY_HEADER + (uint64_t)i * DESCRIPTOR_SIZE;
        struct vhdx_change change;

        err = read_descriptor(log, e, at, data_at, &change, error);
        if (!err && !change.zeros)
            data_at += VHDX_LOG_SECTOR;
        if (!err && replay)
            err = vhdx_replay_add(log->v, &change, error);
    }
    return err;
}

int vhdx_find_entry(struct vhdx_log *log, uint64_t at,
                    const struct vhdx_entry **found, struct error *error)
{
    struct vhdx_entry *e = &log->entries[at % log->length / VHDX_LOG_SECTOR];
    const unsigned char *header;
    bool valid = false;
    int err = 0;

    *found = e;
    if (e->known)
        return 0;
    e->known = true;
    e->at = at % log->length;
    err = get_sector(log, &log->data, at, &header, error);
    if (!err && parse_header(log, header, e))
        err = check_crc(log, e, &valid, error);
    if (!err && valid)
        err = read_descriptors(log, e, false, error);
    if (valid)
        log->has_entry = true;
    else
        e->number = 0;
    return err;
}

int vhdx_replay_entry(struct vhdx_log *log, const struct vhdx_entry *e,
                      struct error *error)
{
    return read_descriptors(log, e, true, error);
}

int vhdx_entry_sizes(struct vhdx_log *log, const struct vhdx_entry *e,
                     uint64_t *flushed, uint64_t *last, struct error *error)
{
    const unsigned char *header;
    int err = get_sector(log, &log->data, e->at, &header, error);

    if (err)
        return err;
    *flushed = get_le64(header + ENTRY_FLUSHED);
    *last = get_le64(header + ENTRY_LAST);
    return 0;
}
