/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/fault.h"

/* How exactly the place is found. */
#define FAULT_PIECE 4096

/* Read a part of a read again. Returns whether all of it is there. */
static bool try_again(struct read *read, size_t at, size_t len)
{
    struct read piece = {
        .reader = read->reader,
        .buf = read->buf + at,
        .offset = read->offset + at,
        .len = len,
        .kind = read->kind,
    };

    piece.reader->ops->read_rest(&piece);
    read_debug(&piece, "again, for the place of an error");
    if (piece.done == len)
        return true;
    read->error = piece.error;
    read->reason = piece.reason;
    return false;
}

/* A server may report that a read failed, but not where. Find the place by
 * halving. If everything can be read now, the start of what was missing is the
 * place. */
void find_fault(struct read *read)
{
    size_t at = read->done, end = read->len;

    if (!read->error)
        return; /* an early end */
    while (end - at > FAULT_PIECE) {
        size_t half = (end - at) / 2;

        half += FAULT_PIECE - 1;
        half -= half % FAULT_PIECE;
        if (try_again(read, at, half))
            at += half;
        else
            end = at + half;
    }
    if (!try_again(read, at, end - at))
        read->done = at;
}
