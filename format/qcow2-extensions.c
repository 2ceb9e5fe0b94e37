/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What follows the header of a qcow2 image: its extensions, and the name of the
 * backing file.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "format/qcow2.h"

/* QEMU has a buffer of 16 bytes for the name of the format. */
#define MAX_BACKING_FORMAT 15

#define FEATURE_NAME_ENTRY 48 /* type, bit, and a name of 46 bytes */
#define BITMAPS_EXTENSION 24

struct extension {
    uint32_t type;
    uint32_t length;
    uint64_t offset; /* of its data; before next_extension(): of the next one */
};

/* The extensions end at the name of the backing file, or with the cluster. */
static uint64_t extensions_end(const struct qcow2 *q)
{
    return q->backing_name_offset ? q->backing_name_offset : q->cluster_size;
}

/* Read the extension at e->offset. False at the end, or on an error. */
static bool next_extension(struct qcow2 *q, struct extension *e, int *err,
                           struct error *error)
{
    uint64_t end = extensions_end(q);
    unsigned char head[8];

    if (e->offset >= end)
        return false;
    *err =
        metadata_read(q->layer->reader, e->offset, head, sizeof(head), error);
    if (*err)
        return false;
    e->type = get_be32(head);
    e->length = get_be32(head + 4);
    e->offset += sizeof(head);
    if (sum_exceeds(e->offset, e->length, end)) {
        *err = qcow2_broken(q, EINVAL, error,
                            "the header extension at %" PRIu64
                            " is too long: %u bytes",
                            e->offset - sizeof(head), e->length);
        return false;
    }
    return e->type != QCOW2_EXTENSION_END;
}

static void skip_extension(struct extension *e)
{
    e->offset += round_up(e->length, 8);
}

/* Read a string, which may end early with a NUL. It replaces an earlier one. */
static int read_text(struct qcow2 *q, uint64_t offset, size_t length,
                     char **text, struct error *error)
{
    char *copy = calloc(1, length + 1);
    int err;

    if (!copy)
        return error_no_memory(error, q->layer->reader->name);
    err = metadata_read(q->layer->reader, offset, copy, length, error);
    if (err) {
        free(copy);
        return err;
    }
    free(*text);
    *text = copy;
    return 0;
}

/* No file has a longer name than PATH_MAX, but an extension can have as many
 * bytes as a cluster, in each image of a chain. */
static int read_data_file_name(struct qcow2 *q, const struct extension *e,
                               struct error *error)
{
    size_t length = e->length < PATH_MAX ? e->length : PATH_MAX;
    int err;

    if (!(q->incompatible_features & QCOW2_INCOMPATIBLE_DATA_FILE))
        return 0;
    err = read_text(q, e->offset, length, &q->data_file_name, error);
    if (!err && strlen(q->data_file_name) == PATH_MAX)
        err = qcow2_broken(q, ENAMETOOLONG, error,
                           "the name of the data file is too long");
    return err;
}

/* Who reads the disk needs no bitmap, but QEMU refuses an image for them. */
static int read_bitmaps(struct qcow2 *q, const struct extension *e,
                        struct error *error)
{
    unsigned char data[BITMAPS_EXTENSION];
    uint64_t directory_size, directory_offset;
    uint32_t count;
    int err;

    if (e->length != BITMAPS_EXTENSION)
        return qcow2_broken(q, EINVAL, error,
                            "the bitmaps extension has %u bytes instead of %d",
                            e->length, BITMAPS_EXTENSION);
    q->bitmaps = (struct qcow2_bitmaps){ .present = true };
    if (!(q->autoclear_features & QCOW2_AUTOCLEAR_BITMAPS))
        return 0; /* QEMU ignores bitmaps that are out of date */
    err = metadata_read(q->layer->reader, e->offset, data, sizeof(data), error);
    if (err)
        return err;
    count = get_be32(data);
    directory_size = get_be64(data + 8);
    directory_offset = get_be64(data + 16);
    if (get_be32(data + 4) != 0 || count == 0 || count > QCOW2_MAX_BITMAPS ||
        directory_offset % q->cluster_size != 0 ||
        directory_size > QCOW2_MAX_BITMAP_DIRECTORY)
        return qcow2_broken(q, EINVAL, error,
                            "the bitmaps extension is out of bounds");
    if (directory_offset >= q->layer->reader->size)
        return qcow2_broken(q, EINVAL, error,
                            "the bitmap directory begins beyond the end of the "
                            "file: at %" PRIu64,
                            directory_offset);
    q->bitmaps.count = count;
    q->bitmaps.directory_size = directory_size;
    q->bitmaps.directory_offset = directory_offset;
    return 0;
}

static int read_extension(struct qcow2 *q, const struct extension *e,
                          struct error *error)
{
    switch (e->type) {
    case QCOW2_EXTENSION_BACKING_FORMAT:
        if (e->length > MAX_BACKING_FORMAT)
            return qcow2_broken(
                q, EINVAL, error,
                "the name of the backing format is too long: %u "
                "bytes",
                e->length);
        return read_text(q, e->offset, e->length, &q->layer->backing_format,
                         error);
    case QCOW2_EXTENSION_CRYPTO:
        return qcow2_broken(q, EINVAL, error,
                            "there is an encryption header, but the image is "
                            "not encrypted");
    case QCOW2_EXTENSION_BITMAPS:
        return read_bitmaps(q, e, error);
    case QCOW2_EXTENSION_DATA_FILE:
        return read_data_file_name(q, e, error);
    default: /* "unknown extensions can be ignored" */
        return 0;
    }
}

static int read_backing_name(struct qcow2 *q, struct error *error)
{
    uint32_t room = q->cluster_size - q->backing_name_offset;

    if (q->backing_name_offset == 0)
        return 0;
    if (q->backing_name_length > QCOW2_MAX_BACKING_NAME ||
        q->backing_name_length > room)
        return qcow2_broken(
            q, EINVAL, error,
            "the name of the backing file is too long: %u bytes",
            q->backing_name_length);
    return read_text(q, q->backing_name_offset, q->backing_name_length,
                     &q->layer->backing_names[0], error);
}

int qcow2_read_extensions(struct qcow2 *q, struct error *error)
{
    struct extension e = { .offset = q->header_length };
    struct layer *layer = q->layer;
    int err = 0;

    while (next_extension(q, &e, &err, error)) {
        err = read_extension(q, &e, error);
        if (err)
            return err;
        skip_extension(&e);
    }
    if (!err)
        err = read_backing_name(q, error);
    if (err)
        return err;

    /* QEMU takes an empty name for none. */
    if (layer->backing_names[0] && !*layer->backing_names[0]) {
        free(layer->backing_names[0]);
        layer->backing_names[0] = NULL;
    }
    if (layer->backing_format && !*layer->backing_format) {
        free(layer->backing_format);
        layer->backing_format = NULL;
    }
    return 0;
}

/* --- names of features -------------------------------------------------- */

/* Find the name of an incompatible feature in the table of names. */
static bool feature_name(struct qcow2 *q, const struct extension *e,
                         unsigned bit, char name[FEATURE_NAME_ENTRY - 1])
{
    for (uint32_t at = 0; at + FEATURE_NAME_ENTRY <= e->length;
         at += FEATURE_NAME_ENTRY) {
        unsigned char entry[FEATURE_NAME_ENTRY];
        struct error ignored = ERROR_INIT;

        if (metadata_read(q->layer->reader, e->offset + at, entry,
                          sizeof(entry), &ignored)) {
            error_clear(&ignored);
            return false;
        }
        if (entry[0] == 0 && entry[1] == bit) { /* type: incompatible */
            memcpy(name, entry + 2, FEATURE_NAME_ENTRY - 2);
            name[FEATURE_NAME_ENTRY - 2] = '\0';
            return true;
        }
    }
    return false;
}

int qcow2_refuse_features(struct qcow2 *q, uint64_t unknown,
                          struct error *error)
{
    struct extension e = { .offset = q->header_length };
    struct error ignored = ERROR_INIT;
    char name[FEATURE_NAME_ENTRY - 1] = "";
    unsigned bit = __builtin_ctzll(unknown);
    int err = 0;

    while (next_extension(q, &e, &err, &ignored)) {
        if (e.type == QCOW2_EXTENSION_FEATURE_NAMES &&
            feature_name(q, &e, bit, name))
            break;
        skip_extension(&e);
    }
    error_clear(&ignored);
    return error_set(error, ENOTSUP,
                     "%s: the image needs a feature that is not supported: bit "
                     "%u%s%s%s",
                     q->layer->reader->name, bit, *name ? ", '" : "", name,
                     *name ? "'" : "");
}
