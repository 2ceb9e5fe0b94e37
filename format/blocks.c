/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/blocks.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* What is compared at once: whole entries of all sizes that formats have. */
#define CHUNK 64

static bool continues(const struct block *run, uint64_t run_length,
                      const struct block *next)
{
    return !next->fault && next->kind == run->kind &&
           run->kind != EXTENT_COMPRESSED &&
           (run->kind != EXTENT_DATA ||
            next->host_offset == run->host_offset + run_length);
}

/* How many bytes at the start of some entries are the same entry again and
 * again. A large table of a disk that is empty consists of them. */
static size_t repeated(const unsigned char *entries, unsigned entry_size,
                       size_t bytes)
{
    size_t same = CHUNK;

    if (bytes < CHUNK || CHUNK % entry_size ||
        memcmp(entries, entries + entry_size, CHUNK - entry_size) != 0)
        return entry_size;
    while (bytes - same >= CHUNK && memcmp(entries, entries + same, CHUNK) == 0)
        same += CHUNK;
    return same;
}

int blocks_map(const struct blocks *b, uint64_t entry, uint64_t skip,
               struct extent *extent, struct error *error)
{
    const unsigned char *entries;
    struct block run;
    uint64_t length;
    size_t bytes, at;
    int err;

    assert(skip < b->size);
    err = table_get(b->table, entry * b->entry_size, &entries, &bytes, error);
    if (err)
        return err;
    run = b->look_up(b->format, entries);
    if (run.fault)
        return error_set(error, EIO, "%s: %s: at guest offset %" PRIu64,
                         b->table->reader->name, run.fault, extent->offset);
    at = b->entry_size;
    if (run.kind == EXTENT_ZERO || run.kind == EXTENT_UNALLOCATED)
        at = repeated(entries, b->entry_size, bytes);
    length = at / b->entry_size * b->size;
    for (; at + b->entry_size <= bytes && length - skip < extent->length;
         at += b->entry_size) {
        const struct block next = b->look_up(b->format, entries + at);

        if (!continues(&run, length, &next))
            break;
        length += b->size;
    }
    extent->kind = run.kind;
    extent->host_offset = run.host_offset + skip;
    if (extent->length > length - skip)
        extent->length = length - skip;
    return 0;
}
