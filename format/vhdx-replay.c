/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file as it is after the log of a VHDX image was replayed. Nothing is
 * written: the changes are kept in a list, and made in what is read. The list
 * does not have the bytes, but knows where in the log they are.
 *
 * Only metadata is read in this way. The log is for nothing else, and a block
 * of the disk that it changes cannot be mapped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "format/vhdx.h"

/* A log of 1 MiB, which is common, has room for 254 sectors of data. So many
 * changes, of 40 bytes and a range of 16 bytes each, take 112 KiB: not more
 * than the tables of a layer. image/chain.c bounds those of a chain. */
#define MAX_CHANGES 2048

#define LOG_SECTOR (4 * KiB)

struct vhdx_replay {
    struct reader reader; /* the file as it is then */
    struct reader *below; /* the file */
    struct vhdx_change changes[MAX_CHANGES];
    size_t count;
    struct ranges changed;
};

/* --- reading ------------------------------------------------------------ */

/* Read the file itself, and zeros behind its end. */
static void read_below(struct reader *below, struct read *read)
{
    struct read part = *read;

    part.reader = below;
    memset(read->buf, 0, read->len);
    if (read->offset >= below->size)
        part.len = 0;
    else if (part.len > below->size - part.offset)
        part.len = below->size - part.offset;
    if (part.len)
        below->ops->read_rest(&part);
    read->error = part.error;
    read->reason = part.reason;
    if (!read->error && part.done < part.len) {
        read->error = EIO;
        read->reason = below->ops->early_end;
    }
    read->done = read->error ? part.done : read->len;
}

/* Get the new bytes of a sector. */
static void read_sector(const struct vhdx_replay *replay,
                        const struct vhdx_change *change,
                        unsigned char sector[LOG_SECTOR], struct read *read)
{
    struct read part = {
        .buf = sector,
        .len = LOG_SECTOR,
        .offset = change->sector,
    };

    read_below(replay->below, &part);
    if (part.error) {
        read->offset = part.offset; /* in the log */
        read->done = part.done;
        read->error = part.error;
        read->reason = part.reason;
        return;
    }
    memcpy(sector, change->leading, sizeof(change->leading));
    memcpy(sector + LOG_SECTOR - sizeof(change->trailing), change->trailing,
           sizeof(change->trailing));
}

/* The change of a sector that counts: the last one. There is one, and it is of
 * the whole sector. Those before it are not made, since a hostile log may have
 * thousands of them for each sector. */
static const struct vhdx_change *last_change(const struct vhdx_replay *replay,
                                             uint64_t sector)
{
    const struct vhdx_change *change = &replay->changes[replay->count - 1];

    while (change->offset > sector || sector - change->offset >= change->length)
        change--;
    return change;
}

/* Put the new bytes of a sector into what was read of it. */
static void apply(const struct vhdx_replay *replay, uint64_t sector,
                  struct read *read)
{
    const struct vhdx_change *change = last_change(replay, sector);
    uint64_t start = sector > read->offset ? sector : read->offset;
    uint64_t end = read->offset + read->len;
    unsigned char bytes[LOG_SECTOR] = { 0 };

    if (end > sector + LOG_SECTOR)
        end = sector + LOG_SECTOR;
    if (!change->zeros)
        read_sector(replay, change, bytes, read);
    if (!read->error)
        memcpy(read->buf + (start - read->offset), bytes + (start - sector),
               end - start);
}

static void replay_read_rest(struct read *read)
{
    const struct vhdx_replay *replay = (const struct vhdx_replay *)read->reader;
    uint64_t sector = read->offset - read->offset % LOG_SECTOR;

    read_below(replay->below, read);
    for (; sector < read->offset + read->len && !read->error;
         sector += LOG_SECTOR) {
        if (ranges_overlap(&replay->changed, sector, LOG_SECTOR))
            apply(replay, sector, read);
    }
}

static void replay_will_need(struct reader *r, uint64_t offset, uint64_t length)
{
    struct reader *below = ((struct vhdx_replay *)r)->below;

    below->ops->will_need(below, offset, length);
}

/* Tables are read by these. */
static const struct reader_ops replay_ops = {
    .read_rest = replay_read_rest,
    .will_need = replay_will_need,
};

/* --- the changes -------------------------------------------------------- */

int vhdx_replay_begin(struct vhdx *v, struct error *error)
{
    struct reader *below = v->layer->reader;

    v->replay = calloc(1, sizeof(*v->replay));
    if (!v->replay)
        return error_no_memory(error, below->name);
    v->replay->below = below;
    v->replay->reader = (struct reader){
        .ops = &replay_ops,
        .name = below->name,
        .size = v->end,
    };
    return 0;
}

int vhdx_replay_add(struct vhdx *v, const struct vhdx_change *change,
                    struct error *error)
{
    struct vhdx_replay *replay = v->replay;
    const struct vhdx_region *log = &v->log;

    if (change->length == 0)
        return 0;
    if (sum_exceeds(change->offset, change->length, INT64_MAX))
        return vhdx_refuse_log(v, "it writes beyond the largest file", error);
    if (change->offset < log->offset + log->length &&
        log->offset < change->offset + change->length)
        return vhdx_refuse_log(v, "it changes itself", error);
    if (replay->count == MAX_CHANGES)
        return vhdx_refuse_log(v, "it has too many changes", error);
    if (ranges_add(&replay->changed, change->offset, change->length))
        return error_no_memory(error, v->layer->reader->name);
    replay->changes[replay->count++] = *change;
    if (v->end < change->offset + change->length)
        v->end = change->offset + change->length;
    return 0;
}

void vhdx_replay_end(struct vhdx *v, uint64_t size)
{
    if (v->end < size)
        v->end = size;
    v->replay->reader.size = v->end;
    ranges_sort(&v->replay->changed);
    v->file = &v->replay->reader;
}

bool vhdx_replay_overlaps(const struct vhdx *v, uint64_t offset,
                          uint64_t length)
{
    return v->replay && ranges_overlap(&v->replay->changed, offset, length);
}

size_t vhdx_replay_memory(const struct vhdx *v)
{
    if (!v->replay)
        return 0;
    return sizeof(*v->replay) + ranges_memory(&v->replay->changed);
}

void vhdx_replay_free(struct vhdx *v)
{
    if (!v->replay)
        return;
    ranges_free(&v->replay->changed);
    free(v->replay);
}
