/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of internal snapshots.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "format/qcow2.h"

#define SNAPSHOT_HEADER 40

struct snapshot {
    uint64_t l1_offset;
    uint32_t l1_entries;
    uint64_t id_offset; /* in the file; the name follows the id */
    uint16_t id_length, name_length;
};

/* Read the entry at *offset, and set *offset to the next one. */
static int read_entry(struct qcow2 *q, uint64_t *offset, unsigned index,
                      struct snapshot *s, struct error *error)
{
    unsigned char h[SNAPSHOT_HEADER];
    uint32_t extra;
    int err;

    *offset = round_up(*offset, 8);
    err = metadata_read(q->layer->reader, *offset, h, sizeof(h), error);
    if (err)
        return err;
    s->l1_offset = get_be64(h);
    s->l1_entries = get_be32(h + 8);
    s->id_length = get_be16(h + 12);
    s->name_length = get_be16(h + 14);
    extra = get_be32(h + 36);
    if (extra > QCOW2_MAX_SNAPSHOT_EXTRA)
        return qcow2_broken(q, EINVAL, error,
                            "entry %u of the snapshot table has too much extra "
                            "data: %u bytes",
                            index, extra);
    s->id_offset = *offset + SNAPSHOT_HEADER + extra;
    *offset = s->id_offset + s->id_length + s->name_length;
    if (*offset - q->snapshots_offset > QCOW2_MAX_SNAPSHOT_TABLE)
        return qcow2_broken(q, EFBIG, error, "the snapshot table is too large");
    return 0;
}

/* --- the choice --------------------------------------------------------- */

/* The argument of -l: "NAME-OR-ID", or "snapshot.id=ID,snapshot.name=NAME", as
 * in 'qemu-img convert'. */
struct wanted {
    const char *id, *name;
    size_t id_length, name_length;
    bool both; /* both must match; otherwise an id wins over a name */
};

static const char id_key[] = "snapshot.id=";
static const char name_key[] = "snapshot.name=";

static bool parse_wanted(const char *text, struct wanted *w)
{
    *w = (struct wanted){ .id = text, .name = text };
    w->id_length = w->name_length = strlen(text);
    if (strncmp(text, "snapshot.", strlen("snapshot.")) != 0)
        return true;

    *w = (struct wanted){ .both = true };
    while (*text) {
        size_t length = strcspn(text, ",");

        if (strncmp(text, id_key, strlen(id_key)) == 0) {
            w->id = text + strlen(id_key);
            w->id_length = length - strlen(id_key);
        } else if (strncmp(text, name_key, strlen(name_key)) == 0) {
            w->name = text + strlen(name_key);
            w->name_length = length - strlen(name_key);
        } else {
            return false;
        }
        text += length + (text[length] == ',');
    }
    return true;
}

/* Compare a string of the table, which may end early with a NUL. */
static int text_equals(struct qcow2 *q, uint64_t offset, size_t length,
                       const char *text, size_t text_length, bool *equal,
                       struct error *error)
{
    char *copy = calloc(1, length + 1);
    int err;

    if (!copy)
        return error_no_memory(error, q->layer->reader->name);
    err = metadata_read(q->layer->reader, offset, copy, length, error);
    *equal = !err && strlen(copy) == text_length &&
             memcmp(copy, text, text_length) == 0;
    free(copy);
    return err;
}

/* Whether an entry has the id, and whether it has the name. What is not asked
 * for matches, if both must. */
static int compare(struct qcow2 *q, const struct snapshot *s,
                   const struct wanted *w, bool *id, bool *name,
                   struct error *error)
{
    int err = 0;

    *id = *name = w->both;
    if (w->id)
        err = text_equals(q, s->id_offset, s->id_length, w->id, w->id_length,
                          id, error);
    if (!err && w->name)
        err = text_equals(q, s->id_offset + s->id_length, s->name_length,
                          w->name, w->name_length, name, error);
    return err;
}

/* Whether QEMU goes on from the id to the name: it does so if the L1 table is
 * misplaced. If the table is too large, or cannot be read, it gives up. */
static bool passed_over(const struct qcow2 *q, const struct snapshot *s)
{
    uint64_t size = (uint64_t)s->l1_entries * sizeof(uint64_t);

    return size <= QCOW2_MAX_L1_SIZE &&
           (s->l1_offset % q->cluster_size != 0 ||
            sum_exceeds(s->l1_offset, size, INT64_MAX));
}

static int use(struct qcow2 *q, const struct snapshot *s, struct error *error)
{
    int err = qcow2_check_l1(q, "L1 table of the snapshot", s->l1_offset,
                             s->l1_entries, error);

    /* As in QEMU, the disk keeps its size. A longer L1 table has the state of
     * the machine at its end. */
    q->l1_offset = s->l1_offset;
    q->l1_entries = s->l1_entries;
    return err;
}

int qcow2_read_snapshots(struct qcow2 *q, const char *wanted,
                         struct error *error)
{
    struct snapshot by_id, by_name;
    bool has_id = false, has_name = false;
    uint64_t offset = q->snapshots_offset;
    struct wanted w = { .both = false };
    int err = qcow2_check_table(q, "snapshot table", offset, q->snapshots,
                                SNAPSHOT_HEADER,
                                SNAPSHOT_HEADER * QCOW2_MAX_SNAPSHOTS, error);

    if (!err && wanted && !parse_wanted(wanted, &w))
        err = error_set(error, EINVAL, "%s: invalid snapshot '%s'",
                        q->layer->reader->name, wanted);
    for (unsigned i = 0; !err && i < q->snapshots; i++) {
        struct snapshot s;
        bool id, name;

        err = read_entry(q, &offset, i, &s, error);
        if (err || !wanted)
            continue;
        err = compare(q, &s, &w, &id, &name, error);
        if (w.both)
            id = name = id && name;
        /* The first match counts. */
        if (!err && id && !has_id) {
            by_id = s;
            has_id = true;
        }
        if (!err && name && !has_name) {
            by_name = s;
            has_name = true;
        }
    }
    if (err || !wanted)
        return err;
    if (!has_id && !has_name)
        return error_set(error, ENOENT, "%s: no snapshot '%s'",
                         q->layer->reader->name, wanted);
    if (has_id && has_name && !w.both && passed_over(q, &by_id))
        has_id = false;
    return use(q, has_id ? &by_id : &by_name, error);
}
