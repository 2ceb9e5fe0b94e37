/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The extents of an export, from block status replies. Those of one range are
 * cached, in bounded memory.
 */
#ifndef NBD_EXTENTS_H
#define NBD_EXTENTS_H

#include "nbd/connection.h"
#include "reader/reader.h"

struct nbd_piece {
    uint64_t end;
    bool hole;
};

/* All zeros to begin with. */
struct nbd_extents {
    uint64_t start, end; /* the range that is known */
    uint64_t requested;  /* the length of the last request */
    struct nbd_piece *pieces;
    size_t count, room;
    size_t current; /* the piece that was used last */
    bool full;      /* no room for more pieces */
};

/*
 * Get the extent at offset, of at most length bytes; the range must be within
 * the export. If the server has no extents, or does not report them, all is
 * data.
 */
void nbd_extents_get(struct nbd_extents *e, struct nbd_connection *connection,
                     const struct nbd_export *export, uint64_t offset,
                     uint64_t length, struct reader_extent *extent);

void nbd_extents_free(struct nbd_extents *e);

#endif
