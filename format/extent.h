/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a map answers. Its contract, on which everybody relies:
 *   - the extent starts at the offset that was asked;
 *   - it has at least one byte, and never more than was asked;
 *   - all its bytes are of one kind. Where the kind is DATA they lie in a row
 *     in one host object; where it is COMPRESSED they are bytes of one
 *     compressed cluster;
 *   - an upper layer never makes the extent of a lower one longer.
 */
#ifndef FORMAT_EXTENT_H
#define FORMAT_EXTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "format/decode.h"
#include "reader/reader.h"

enum extent_kind {
    EXTENT_ZERO,        /* reads as zeros; nothing to read */
    EXTENT_DATA,        /* bytes of a host object, as they are */
    EXTENT_COMPRESSED,  /* bytes of a cluster that must be decoded */
    EXTENT_UNALLOCATED, /* of a layer: the layer below decides. Never the
                         * answer of an image */
};

struct extent {
    uint64_t offset; /* of the guest */
    uint64_t length;
    enum extent_kind kind;
    struct reader *reader; /* DATA, COMPRESSED: where, */
    uint64_t host_offset;  /*       and at which offset */
    bool hole;             /* DATA: but a hole, the host says (no_extents) */

    /* COMPRESSED: */
    uint32_t host_length;  /* zeros follow beyond the end of the object */
    uint32_t cluster_size; /* decoded */
    uint32_t skip;         /* bytes of the cluster before the extent */
    enum codec codec;
};

/* Drop the first n bytes of an extent, n less than its length. */
void extent_advance(struct extent *extent, uint64_t n);

#endif
