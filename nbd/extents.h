/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The extents of an export in a metadata context, from block status replies.
 * Those of one range are cached, in bounded memory.
 */
#ifndef NBD_EXTENTS_H
#define NBD_EXTENTS_H

#include "nbd/connection.h"
#include "reader/reader.h"

struct nbd_piece {
    uint64_t end;
    bool state; /* of the context: client.h */
};

/* All zeros to begin with, but for the context. */
struct nbd_extents {
    enum nbd_context context;
    uint64_t start, end; /* the range that is known */
    uint64_t requested;  /* the length of the last request */
    struct nbd_piece *pieces;
    size_t count, room;
    size_t current; /* the piece that was used last */
    bool full;      /* no room for more pieces */
};

/*
 * Find the state at offset, and of how many bytes, at most length: *length. The
 * range must be within the export. 0 or a positive errno value, if the server
 * does not report it.
 */
int nbd_extents_find(struct nbd_extents *e, struct nbd_connection *connection,
                     const struct nbd_export *export, uint64_t offset,
                     uint64_t *length, bool *state);

/*
 * Get the extent at offset, of at most length bytes; the context is
 * NBD_HOLES. If the server has no extents, or does not report them, all is
 * data.
 */
void nbd_extents_get(struct nbd_extents *e, struct nbd_connection *connection,
                     const struct nbd_export *export, uint64_t offset,
                     uint64_t length, struct reader_extent *extent);

void nbd_extents_free(struct nbd_extents *e);

#endif
