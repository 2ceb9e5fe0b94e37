/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk that is divided into blocks of one size, each of which has an entry in
 * a table: VDI, VPC, VHDX, and the grains of VMDK.
 */
#ifndef FORMAT_BLOCKS_H
#define FORMAT_BLOCKS_H

#include "format/table.h"

/* What an entry says about its block. */
struct block {
    enum extent_kind kind;
    uint64_t host_offset; /* DATA: of the block in its object */
    const char *fault;    /* why the block cannot be read; or NULL */
};

/* Blocks whose entries follow each other in a table. */
struct blocks {
    struct table *table;
    unsigned entry_size;
    uint64_t size; /* of a block */
    struct block (*look_up)(const void *format, const unsigned char *entry);
    const void *format; /* for look_up */
};

/*
 * Map the range of an extent, whose offset and length are set. It begins `skip`
 * bytes into the block whose entry is number `entry` of the table. Sets the
 * kind and the host offset, and ends the extent where the next block is of
 * another kind, is not contiguous, or has its entry in another slice. If the
 * first block cannot be read, the error says why.
 */
int blocks_map(const struct blocks *blocks, uint64_t entry, uint64_t skip,
               struct extent *extent, struct error *error);

#endif
