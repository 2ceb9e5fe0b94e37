/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A table of an image, read a slice at a time: whatever its size, a slice is
 * what it takes of memory. Maps go from the front to the back, so that one
 * slice is enough to read each entry once.
 */
#ifndef FORMAT_TABLE_H
#define FORMAT_TABLE_H

#include "format/layer.h"

#define TABLE_SLICE (64 * 1024)

struct table {
    struct reader *reader;
    uint64_t offset; /* of the table in the object */
    uint64_t length; /* in bytes; the caller checked that the sum is sane */
    unsigned char *slice;
    uint64_t slice_offset; /* in the table */
    size_t slice_length;   /* 0: none is loaded */
};

/* Look at another table. A slice that it has is kept. */
void table_set(struct table *t, struct reader *reader, uint64_t offset,
               uint64_t length);

/*
 * The bytes of the table from `at` on, which is less than its length: *count
 * of them, to the end of the slice. They are good until the next call.
 */
int table_get(struct table *t, uint64_t at, const unsigned char **bytes,
              size_t *count, struct error *error);

void table_free(struct table *t);

#endif
