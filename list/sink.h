/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A sink takes the digests of a disk's blocks, in the order of the disk. The
 * root that computes the checksum is one. The engine fills sinks with what it
 * commits.
 *
 * Threads: one call at a time.
 */
#ifndef LIST_SINK_H
#define LIST_SINK_H

#include <stddef.h>
#include <stdint.h>

#include "blkhash.h"
#include "common/error.h"

/* What is known at the end. The root, which is the first sink, fills in the
 * checksum; if only a part of the disk was hashed, there is none. */
struct sink_end {
    uint64_t length; /* of the disk, in bytes */
    unsigned char md[BLKHASH_MAX_MD_SIZE];
    unsigned md_len; /* 0: no checksum */
};

/* The functions return 0 or a positive errno value. After an error, none is
 * called again. */
struct sink {
    /* Whole blocks of zeros. blocks may be 0. */
    int (*zero)(struct sink *sink, uint64_t blocks, struct error *error);

    /* count digests, one after the other. Blocks of zeros may be among them,
     * and the last block of the disk may be short. count may be 0. */
    int (*digests)(struct sink *sink, const unsigned char *mds, size_t count,
                   struct error *error);

    /* Nothing follows. */
    int (*end)(struct sink *sink, struct sink_end *end, struct error *error);
};

#endif
