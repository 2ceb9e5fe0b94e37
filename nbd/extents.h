/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a server says of its holes, remembered for one range of the export, in
 * bounded memory.
 */
#ifndef NBD_EXTENTS_H
#define NBD_EXTENTS_H

#include "nbd/connection.h"

struct nbd_piece {
    uint64_t end;
    bool hole;
};

/* All zeros to begin with. */
struct nbd_extents {
    uint64_t start, end; /* the range that is known */
    uint64_t asked;      /* the length of the last question */
    struct nbd_piece *pieces;
    size_t count, room;
    size_t current; /* the piece that was used last */
    bool full;      /* no place for more */
};

/*
 * The extent at offset, at most length bytes, which end not beyond the export.
 * Where the server does not know, or fails to say, all is data.
 */
void nbd_extents_get(struct nbd_extents *e, struct nbd_connection *connection,
                     const struct nbd_export *export, uint64_t offset,
                     uint64_t length, struct reader_extent *extent);

void nbd_extents_free(struct nbd_extents *e);

#endif
