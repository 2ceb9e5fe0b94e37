/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nbd/bitmap.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nbd/extents.h"

struct bitmap {
    struct changes changes; /* first */
    struct nbd_extents extents;
    struct nbd_connection *connection;
    const struct nbd_export *export;
    const char *name, *bitmap;
};

/* The image of an export is padded to a whole sector. */
static bool is_padding(const struct bitmap *b, uint64_t offset)
{
    return offset >= b->export->size;
}

/* Holes that are not known may be read, as if they were data. But who wants a
 * bitmap does not want to read all of the disk: so an error stays an error. */
static int bitmap_next(struct changes *changes, uint64_t offset,
                       uint64_t length, struct change *change,
                       struct error *error)
{
    struct bitmap *b = (struct bitmap *)changes;
    const char *reason;
    int err;

    *change = (struct change){ .length = length };
    if (is_padding(b, offset))
        return 0;
    if (change->length > b->export->size - offset)
        change->length = b->export->size - offset;
    err = nbd_extents_find(&b->extents, b->connection, b->export, offset,
                           &change->length, &change->changed);
    if (!err)
        return 0;
    nbd_connection_lock(b->connection);
    reason = nbd_connection_reason(b->connection);
    nbd_connection_unlock(b->connection);
    return error_set(
        error, err, "%s: cannot read the bitmap '%s' at offset %" PRIu64 ": %s",
        b->name, b->bitmap, offset, reason ? reason : strerror(err));
}

static void bitmap_free(struct changes *changes)
{
    struct bitmap *b = (struct bitmap *)changes;

    nbd_extents_free(&b->extents);
    free(b);
}

int nbd_bitmap_new(struct nbd_connection *connection,
                   const struct nbd_export *export, const char *name,
                   const char *bitmap, struct changes **changes,
                   struct error *error)
{
    struct bitmap *b = calloc(1, sizeof(*b));

    if (!b)
        return error_no_memory(error, name);
    *b = (struct bitmap){
        .changes = { .next = bitmap_next, .free = bitmap_free },
        .extents.context = NBD_BITMAP,
        .connection = connection,
        .export = export,
        .name = name,
        .bitmap = bitmap,
    };
    *changes = &b->changes;
    return 0;
}
