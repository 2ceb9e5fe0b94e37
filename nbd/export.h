/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a server advertises about its export, checked.
 */
#ifndef NBD_EXPORT_H
#define NBD_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

struct nbd_export {
    uint64_t size;

    /* Block size constraints. A read starts at a multiple of the minimum, a
     * power of 2, and its length is one as well, unless the export ends
     * there. */
    uint32_t minimum;
    uint32_t maximum;        /* length of a read, a multiple of the minimum */
    uint32_t preferred_read; /* the longest read that disksum sends; likewise */

    bool has_extents; /* it reports its holes: base:allocation. False, too,
                       * if it was not asked to */
    bool multi_conn;  /* it allows several connections */
};

/* Set the block sizes. Those of the server are not to be trusted; what is out
 * of bounds counts as not advertised, as do 0 and -1. */
void nbd_export_set_block_sizes(struct nbd_export *export, int64_t minimum,
                                int64_t maximum);

/* Whether two connections see the same export. */
bool nbd_export_equal(const struct nbd_export *a, const struct nbd_export *b);

#endif
