/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A table of an image, which is read by slices. Whatever its size, it needs the
 * memory of one slice. An image is mapped from front to back, so one slice is
 * enough to read each entry once.
 */
#ifndef FORMAT_TABLE_H
#define FORMAT_TABLE_H

#include "format/layer.h"

#define TABLE_SLICE (64 * 1024)

struct table {
    struct reader *reader;
    uint64_t offset; /* of the table in the object */
    uint64_t length; /* in bytes; offset + length does not overflow */
    unsigned char *slice;
    uint64_t slice_offset; /* in the table */
    size_t slice_length;   /* 0: no slice is loaded */
};

/* Choose a table. If it is the same one as before, its slice is kept. */
void table_set(struct table *t, struct reader *reader, uint64_t offset,
               uint64_t length);

/*
 * Get the bytes of the table from `at`, which is less than its length, to the
 * end of the slice: *count of them. They are valid until the next call.
 */
int table_get(struct table *t, uint64_t at, const unsigned char **bytes,
              size_t *count, struct error *error);

/* Copy bytes of the table, which all lie in it. */
int table_copy(struct table *t, uint64_t at, void *buf, size_t length,
               struct error *error);

void table_free(struct table *t);

#endif
