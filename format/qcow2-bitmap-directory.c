/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bitmap directory: an entry for each bitmap, one after the other.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "format/qcow2-bitmap.h"

#define ENTRY_HEADER 24

/* The names of the bitmaps, for an error: as many as have room. */
struct names {
    char text[400];
    size_t length;
    unsigned left_out;
};

static void add_name(struct names *n, const char *name)
{
    size_t room = sizeof(n->text) - n->length;
    int length = snprintf(n->text + n->length, room, "%s'%s'",
                          n->length ? ", " : "", name);

    if (length > 0 && (size_t)length < room) {
        n->length += length;
        return;
    }
    n->text[n->length] = '\0';
    n->left_out++;
}

static int no_such_bitmap(const struct qcow2 *q, const char *name,
                          const struct names *n, struct error *error)
{
    const char *image = q->layer->reader->name;

    if (n->length && n->left_out)
        return error_set(error, ENOENT,
                         "%s: no bitmap '%s'; it has %s and %u more", image,
                         name, n->text, n->left_out);
    if (n->left_out)
        return error_set(error, ENOENT,
                         "%s: no bitmap '%s'; the names of its %u bitmaps are "
                         "too long to show",
                         image, name, n->left_out);
    return error_set(error, ENOENT, "%s: no bitmap '%s'; it has %s", image,
                     name, n->text);
}

/* Read the entry at *at of the directory, and set *at to the next one. A name
 * that is too long is empty. */
static int read_entry(const struct qcow2 *q, struct table *directory,
                      uint64_t *at, struct qcow2_bitmap_entry *e,
                      struct error *error)
{
    uint64_t room = directory->length - *at, length;
    unsigned char h[ENTRY_HEADER];
    uint16_t name_length;
    int err;

    if (room < sizeof(h))
        return qcow2_broken(q, EINVAL, error,
                            "the bitmap directory is too short for its %u "
                            "bitmaps",
                            q->bitmaps.count);
    err = table_copy(directory, *at, h, sizeof(h), error);
    if (err)
        return err;
    e->table_offset = get_be64(h);
    e->table_entries = get_be32(h + 8);
    e->flags = get_be32(h + 12);
    e->type = h[16];
    e->granularity_bits = h[17];
    name_length = get_be16(h + 18);
    e->extra_length = get_be32(h + 20);
    length = round_up((uint64_t)sizeof(h) + e->extra_length + name_length, 8);
    if (length > room)
        return qcow2_broken(q, EINVAL, error,
                            "an entry of the bitmap directory is too long: "
                            "%" PRIu64 " bytes",
                            length);

    memset(e->name, 0, sizeof(e->name));
    if (name_length > 0 && name_length < sizeof(e->name))
        err = table_copy(directory, *at + sizeof(h) + e->extra_length, e->name,
                         name_length, error);
    *at += length;
    return err;
}

/* Whether there is a directory to look at. */
static int check_extension(const struct qcow2 *q, const char *name,
                           struct error *error)
{
    const struct qcow2_bitmaps *b = &q->bitmaps;
    const char *image = q->layer->reader->name;

    if (!b->present)
        return error_set(error, ENOENT, "%s: no bitmap '%s'; it has no bitmaps",
                         image, name);
    if (!(q->autoclear_features & QCOW2_AUTOCLEAR_BITMAPS))
        return error_set(error, EINVAL,
                         "%s: bitmap '%s' cannot be used: a program that does "
                         "not know bitmaps has written to the image (autoclear "
                         "bit 0 is not set)",
                         image, name);
    if (sum_exceeds(b->directory_offset, b->directory_size,
                    q->layer->reader->size))
        return qcow2_broken(q, EINVAL, error,
                            "the bitmap directory does not lie in the file: "
                            "%" PRIu64 " bytes at %" PRIu64,
                            b->directory_size, b->directory_offset);
    return 0;
}

static int search(const struct qcow2 *q, struct table *directory,
                  const char *name, struct qcow2_bitmap_entry *found,
                  struct error *error)
{
    struct names names = { .length = 0 };
    struct qcow2_bitmap_entry e;
    unsigned matches = 0;
    uint64_t at = 0;

    for (uint32_t i = 0; i < q->bitmaps.count; i++) {
        int err = read_entry(q, directory, &at, &e, error);

        if (err)
            return err;
        add_name(&names, e.name);
        if (strcmp(e.name, name) != 0)
            continue;
        *found = e;
        matches++;
    }
    if (at != directory->length)
        return qcow2_broken(q, EINVAL, error,
                            "the bitmap directory has more than its %u bitmaps",
                            q->bitmaps.count);
    if (matches > 1)
        return qcow2_broken(q, EINVAL, error, "%u bitmaps have the same name",
                            matches);
    return matches ? 0 : no_such_bitmap(q, name, &names, error);
}

int qcow2_find_bitmap(struct qcow2 *q, const char *name,
                      struct qcow2_bitmap_entry *entry, struct error *error)
{
    struct table directory = { .reader = NULL };
    int err = check_extension(q, name, error);

    if (err)
        return err;
    table_set(&directory, q->layer->reader, q->bitmaps.directory_offset,
              q->bitmaps.directory_size);
    err = search(q, &directory, name, entry, error);
    table_free(&directory);
    return err;
}
