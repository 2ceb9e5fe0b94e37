/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An extent: what a map says about a range of the disk. Everybody relies on its
 * contract:
 *   - It starts at the offset asked for.
 *   - It has at least one byte, and at most as many as were asked for.
 *   - All its bytes are of one kind. DATA is contiguous in one host object.
 *     COMPRESSED is part of one compressed cluster.
 *   - An upper layer never makes the extent of a lower one longer.
 */
#ifndef FORMAT_EXTENT_H
#define FORMAT_EXTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "format/decode.h"
#include "reader/reader.h"

enum extent_kind {
    EXTENT_ZERO,        /* zeros that are not stored */
    EXTENT_DATA,        /* bytes of a host object */
    EXTENT_COMPRESSED,  /* bytes of a compressed cluster */
    EXTENT_UNALLOCATED, /* the layer below decides; never in an image's map */
};

struct extent {
    uint64_t offset; /* on the guest's disk */
    uint64_t length;
    enum extent_kind kind;
    struct reader *reader; /* DATA, COMPRESSED: the host object, */
    uint64_t host_offset;  /*     and the offset in it */
    bool hole;             /* DATA: the host reports a hole (no_extents) */

    /* COMPRESSED: */
    uint32_t host_length;  /* if it reaches beyond the end of the object, zeros
                            * follow; CODEC_ZLIB_MARKED: a guess */
    uint32_t cluster_size; /* of the decoded cluster */
    uint32_t skip;         /* bytes of the decoded cluster before the extent */
    enum codec codec;
};

/* Drop the first n bytes of an extent. n is less than its length. */
void extent_advance(struct extent *extent, uint64_t n);

#endif
