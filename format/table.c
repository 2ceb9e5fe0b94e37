/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void table_set(struct table *t, struct reader *reader, uint64_t offset,
               uint64_t length)
{
    /* Slices are aligned to the start of their table, so another table has
     * other slices. */
    if (t->reader != reader || t->offset != offset || t->length != length)
        t->slice_length = 0;
    t->reader = reader;
    t->offset = offset;
    t->length = length;
}

static int load(struct table *t, uint64_t start, struct error *error)
{
    uint64_t length = t->length - start;
    int err;

    if (!t->slice)
        t->slice = malloc(TABLE_SLICE);
    if (!t->slice)
        return error_no_memory(error, t->reader->name);
    if (length > TABLE_SLICE)
        length = TABLE_SLICE;

    t->slice_length = 0;
    err = metadata_read(t->reader, t->offset + start, t->slice, length, error);
    if (err)
        return err;
    t->slice_offset = start;
    t->slice_length = length;
    if (start + length < t->length)
        t->reader->ops->will_need(t->reader, t->offset + start + length,
                                  TABLE_SLICE);
    return 0;
}

int table_get(struct table *t, uint64_t at, const unsigned char **bytes,
              size_t *count, struct error *error)
{
    assert(at < t->length);
    if (at < t->slice_offset || at - t->slice_offset >= t->slice_length) {
        int err = load(t, at - at % TABLE_SLICE, error);

        if (err)
            return err;
    }
    assert(at >= t->slice_offset && at - t->slice_offset < t->slice_length);
    *bytes = t->slice + (at - t->slice_offset);
    *count = t->slice_length - (at - t->slice_offset);
    return 0;
}

int table_copy(struct table *t, uint64_t at, void *buf, size_t length,
               struct error *error)
{
    unsigned char *to = buf;

    while (length > 0) {
        const unsigned char *bytes;
        size_t count;
        int err = table_get(t, at, &bytes, &count, error);

        if (err)
            return err;
        if (count > length)
            count = length;
        memcpy(to, bytes, count);
        to += count;
        at += count;
        length -= count;
    }
    return 0;
}

void table_free(struct table *t)
{
    free(t->slice);
    t->slice = NULL;
}
