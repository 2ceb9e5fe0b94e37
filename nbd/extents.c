/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nbd/extents.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "common/bytes.h"
#include "common/units.h"

/* Planning waits for a block status reply, which comes after those of the reads
 * in flight, so there should be few requests. But a map that jumps around, as
 * that of qcow2 does, should not have the server look at all of its export for
 * each jump. So the length grows while the map goes forward. */
#define MAX_REQUEST (4 * GiB - 64 * KiB) /* a multiple of every block size */
#define MIN_REQUEST (64 * MiB)

/* How much is taken for data after a request that failed. */
#define FAILED (64 * MiB)

/* 1 MiB of memory. */
#define MAX_PIECES 65536

/* A block status request, and its reply as it comes. */
struct status_request {
    struct nbd_block_status status;
    struct nbd_extents *extents;
    uint64_t size; /* of the export */
    int error;
    bool done;
};

static bool make_room(struct nbd_extents *e)
{
    size_t room = e->room ? 2 * e->room : 64;
    struct nbd_piece *pieces;

    if (e->count < e->room)
        return true;
    if (e->room == MAX_PIECES)
        return false;
    pieces = realloc(e->pieces, room * sizeof(*pieces));
    if (!pieces)
        return false;
    e->pieces = pieces;
    e->room = room;
    return true;
}

static void add_piece(struct nbd_block_status *status, uint64_t length,
                      bool state)
{
    struct status_request *q = (struct status_request *)status;
    struct nbd_extents *e = q->extents;

    /* The last extent may go beyond the request, but not beyond the export. */
    if (length > q->size - e->end)
        length = q->size - e->end;
    if (length == 0 || e->full)
        return;
    if (e->count && e->pieces[e->count - 1].state == state) {
        e->pieces[e->count - 1].end += length;
    } else if (make_room(e)) {
        e->pieces[e->count++] =
            (struct nbd_piece){ .end = e->end + length, .state = state };
    } else {
        e->full = true;
        return;
    }
    e->end += length;
}

static void note_completion(struct nbd_request *request, int error)
{
    struct status_request *q = (struct status_request *)request;

    q->error = error;
    q->done = true;
}

/* Forget what is known, and request what is at offset. */
static int request_extents(struct nbd_extents *e,
                           struct nbd_connection *connection,
                           const struct nbd_export *export, uint64_t offset)
{
    struct status_request q = {
        .status.request.on_completion = note_completion,
        .status.context = e->context,
        .status.on_extent = add_piece,
        .extents = e,
        .size = export->size,
    };
    uint64_t start = offset - offset % export->minimum;
    uint64_t length;

    e->requested = offset == e->end ? e->requested * 4 : MIN_REQUEST;
    if (e->requested == 0 || e->requested > MAX_REQUEST)
        e->requested = MAX_REQUEST;
    e->start = e->end = start;
    e->count = e->current = 0;
    e->full = false;

    length = e->requested < export->size - start ? e->requested
                                                 : export->size - start;
    nbd_connection_lock(connection);
    nbd_connection_block_status(connection, &q.status, start, length);
    nbd_connection_wait(connection, &q.done);
    nbd_connection_unlock(connection);

    if (q.error)
        return q.error;
    /* The reply does not even tell the first block. */
    if (e->end <= offset)
        return e->full ? ENOMEM : EPROTO;
    return 0;
}

/* The last request failed. */
static void assume_data(struct nbd_extents *e, const struct nbd_export *export)
{
    struct status_request q = { .extents = e, .size = export->size };

    e->count = 0;
    e->end = e->start;
    e->full = false;
    add_piece(&q.status, FAILED, false);
}

/* Find the piece with the byte at offset, which is in the known range. */
static const struct nbd_piece *find(struct nbd_extents *e, uint64_t offset)
{
    size_t low = 0, high = e->count - 1;

    assert(e->count > 0 && offset >= e->start && offset < e->end);
    /* Mostly it is the one that was used last, or the next. */
    for (size_t i = e->current; i < e->count && i < e->current + 2; i++) {
        if (offset < e->pieces[i].end &&
            offset >= (i ? e->pieces[i - 1].end : e->start)) {
            low = high = i;
            break;
        }
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (offset < e->pieces[middle].end)
            high = middle;
        else
            low = middle + 1;
    }
    e->current = low;
    return &e->pieces[low];
}

static bool is_known(const struct nbd_extents *e, uint64_t offset)
{
    return offset >= e->start && offset < e->end;
}

/* What is known at offset, where something is. */
static void get_known(struct nbd_extents *e, uint64_t offset, uint64_t *length,
                      bool *state)
{
    const struct nbd_piece *piece = find(e, offset);

    *state = piece->state;
    if (*length > piece->end - offset)
        *length = piece->end - offset;
}

int nbd_extents_find(struct nbd_extents *e, struct nbd_connection *connection,
                     const struct nbd_export *export, uint64_t offset,
                     uint64_t *length, bool *state)
{
    if (!is_known(e, offset)) {
        int err = request_extents(e, connection, export, offset);

        if (err) {
            e->end = e->start; /* what came is not trusted */
            return err;
        }
    }
    get_known(e, offset, length, state);
    return 0;
}

void nbd_extents_get(struct nbd_extents *e, struct nbd_connection *connection,
                     const struct nbd_export *export, uint64_t offset,
                     uint64_t length, struct reader_extent *extent)
{
    *extent = (struct reader_extent){ .length = length };
    if (!export->has_extents)
        return;
    if (!is_known(e, offset) && request_extents(e, connection, export, offset))
        assume_data(e, export);
    if (is_known(e, offset)) /* not if there is no memory */
        get_known(e, offset, &extent->length, &extent->hole);
}

void nbd_extents_free(struct nbd_extents *e)
{
    free(e->pieces);
}
