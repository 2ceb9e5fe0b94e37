/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A layer of an image: a file in its format, and the name of the backing file
 * that has what is not allocated in the layer.
 */
#ifndef FORMAT_LAYER_H
#define FORMAT_LAYER_H

#include <stdarg.h>

#include "common/changes.h"
#include "format/extent.h"
#include "format/names.h"

struct layer;

struct layer_ops {
    /*
     * Map a range of the disk, which ends at or before the layer's size. The
     * contract of the extent is in extent.h. DATA may be in a hole of its
     * object, or beyond its end: image_map() takes care of both.
     */
    int (*map)(struct layer *layer, uint64_t offset, uint64_t length,
               struct extent *extent, struct error *error);

    /* Check that the layer below is the one that this layer was made on. NULL:
     * the format does not identify it. */
    int (*check_backing)(const struct layer *layer, const struct layer *backing,
                         struct error *error);

    /*
     * Get what a bitmap of the layer records. Its disk must be the active one.
     * The changes must be freed before the layer is closed. NULL: the format
     * has no bitmaps.
     */
    int (*bitmap)(struct layer *layer, const char *name,
                  struct changes **changes, struct error *error);

    /* Free format_data. The owner of the layer frees the rest. */
    void (*close)(struct layer *layer);
};

/* How many names a layer can have for its backing file. */
#define LAYER_BACKING_NAMES 4

struct layer {
    const struct layer_ops *ops;
    struct reader *reader;
    struct reader **files; /* others that have parts of the disk: extents, or
                            * a data file */
    size_t file_count;
    uint64_t size;            /* of the guest's disk: whole sectors */
    uint32_t largest_cluster; /* that may be compressed; 0: none is */
    uint64_t table_span;      /* what one of the tables maps of the disk; 0: it
                               * does not matter */
    size_t memory; /* of the format, if it depends on the image, and is kept */
    char *backing_names[LAYER_BACKING_NAMES]; /* as the image has them; the
                                               * first that exists counts; NULL
                                               * follows the last */
    char *backing_format;                     /* NULL: probe */
    void *format_data;                        /* what the format needs to map */
};

/*
 * What a format needs to know to open a layer. Its open function (format.h)
 * fills a layer whose reader is set. If it fails after it has set ops,
 * ops->close() undoes what it did.
 */
struct layer_options {
    const char *snapshot; /* NULL: the active disk */

    /* Open another file, by a name that the image records, if the rules for
     * such names allow it. NULL: no other file may be opened. */
    int (*open_file)(void *arg, const struct recorded_name *name,
                     struct reader **reader, struct error *error);
    void *open_file_arg;
};

/* Open another file that has a part of the disk, and add it to the files of the
 * layer, which closes it. */
int layer_open_file(struct layer *layer, const struct layer_options *options,
                    const struct recorded_name *name, struct reader **reader,
                    struct error *error);

/* Set the error "NAME: broken KIND image: ...", for a message of a format. */
void layer_broken(const struct layer *layer, const char *kind, int code,
                  struct error *error, const char *format, va_list args)
    __attribute__((format(printf, 5, 0)));

/* Read metadata. As in QEMU, bytes beyond the end of the object are zeros; but
 * an object that ends before its size has shrunk, which is an error. */
int metadata_read(struct reader *reader, uint64_t offset, void *buf, size_t len,
                  struct error *error);

#endif
