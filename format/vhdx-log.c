/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log of a VHDX image: a ring of entries, each of which describes sectors
 * of 4 KiB that were to be written to the file. If the log is not empty, the
 * file was not closed, and some may be missing. The entries to be replayed are
 * the active sequence: the newest one that is complete.
 *
 * It is found as [MS-VHDX] 2.3.3 has it: from each sector, follow the entries
 * as long as their numbers do, and see whether the last one says that it began
 * with one of them. What begins at a sector is remembered, so each entry is
 * checked once.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "format/vhdx-log.h"

/* A log of 1 MiB is common. This one has 16,384 sectors. */
#define MAX_LOG (64 * MiB)

/* `count` entries, the first of which is at `start`. */
struct sequence {
    uint64_t start;
    size_t count;
    uint64_t number; /* of the last one */
    uint64_t last;   /* where it begins */
    uint64_t end;
};

/* Follow the entries from `start`. Numbers only grow, so it ends. */
static int follow(struct vhdx_log *log, uint64_t start, struct sequence *s,
                  struct error *error)
{
    *s = (struct sequence){ .start = start, .end = start };
    for (;;) {
        const struct vhdx_entry *e;
        int err = vhdx_find_entry(log, s->end, &e, error);

        if (err)
            return err;
        if (e->number == 0 || (s->count && e->number != s->number + 1))
            return 0;
        s->count++;
        s->number = e->number;
        s->last = e->at;
        s->end += e->length;
    }
}

/* Whether a sequence has the entry with which its last one says that it begins.
 * Leave out the entries before that one. All of them are known. */
static bool is_complete(const struct vhdx_log *log, struct sequence *s)
{
    uint64_t tail;

    if (s->count == 0)
        return false;
    tail = log->entries[s->last / VHDX_LOG_SECTOR].tail;
    for (; s->count; s->count--) {
        const struct vhdx_entry *e =
            &log->entries[s->start % log->length / VHDX_LOG_SECTOR];

        if (e->at == tail)
            return true;
        s->start += e->length;
    }
    return false;
}

static int find_active(struct vhdx_log *log, struct sequence *active,
                       struct error *error)
{
    struct sequence s;
    int err;

    *active = (struct sequence){ 0 };
    for (uint64_t at = 0; at < log->length;) {
        err = follow(log, at, &s, error);
        if (err)
            return err;
        if (!is_complete(log, &s)) {
            at += VHDX_LOG_SECTOR;
            continue;
        }
        at = s.end;
        if (s.number > active->number)
            *active = s;
    }
    if (log->has_entry && active->count == 0)
        return vhdx_refuse_log(log->v, "no sequence of its entries is complete",
                               error);
    return 0;
}

/* --- replay ------------------------------------------------------------- */

static int replay(struct vhdx_log *log, const struct sequence *s,
                  struct error *error)
{
    struct vhdx *v = log->v;
    const struct vhdx_entry *last = &log->entries[s->last / VHDX_LOG_SECTOR];
    uint64_t at = s->start, size = v->layer->reader->size;
    uint64_t flushed, grown;
    int err = vhdx_entry_sizes(log, last, &flushed, &grown, error);

    if (err)
        return err;
    if (flushed > size)
        return vhdx_broken(v, EINVAL, error,
                           "it is truncated: it has %" PRIu64 " bytes, but had "
                           "%" PRIu64 " when its log was written",
                           size, flushed);
    err = vhdx_replay_begin(v, error);
    for (size_t i = 0; !err && i < s->count; i++) {
        const struct vhdx_entry *e =
            &log->entries[at % log->length / VHDX_LOG_SECTOR];

        err = vhdx_replay_entry(log, e, error);
        at += e->length;
    }
    if (!err)
        vhdx_replay_end(v, grown);
    return err;
}

int vhdx_read_log(struct vhdx *v, struct error *error)
{
    static const struct vhdx_guid no_log;
    struct vhdx_log log = { .v = v, .length = v->log.length };
    struct sequence active;
    int err;

    if (vhdx_guid_equal(&no_log, v->log_guid.bytes) || log.length == 0)
        return 0;
    if (log.length % MiB)
        return vhdx_broken(v, EINVAL, error,
                           "its log has %" PRIu64 " bytes, but must have a "
                           "multiple of 1 MiB",
                           log.length);
    if (log.length > MAX_LOG)
        return vhdx_refuse_log(v, "it is larger than 64 MiB", error);
    log.entries = calloc(log.length / VHDX_LOG_SECTOR, sizeof(*log.entries));
    if (!log.entries)
        return error_no_memory(error, v->layer->reader->name);
    table_set(&log.descriptors, v->layer->reader, v->log.offset, log.length);
    table_set(&log.data, v->layer->reader, v->log.offset, log.length);
    err = find_active(&log, &active, error);
    /* QEMU writes the identity of a log before its first entry. Without any,
     * there is nothing to replay. */
    if (!err && active.count)
        err = replay(&log, &active, error);
    table_free(&log.descriptors);
    table_free(&log.data);
    free(log.entries);
    return err;
}
