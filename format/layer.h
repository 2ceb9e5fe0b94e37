/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A layer of an image: a file in its format, and the name of the backing file
 * that has what is not allocated in the layer.
 */
#ifndef FORMAT_LAYER_H
#define FORMAT_LAYER_H

#include "format/extent.h"

struct layer;

struct layer_ops {
    /*
     * Map a range of the disk, which ends at or before the layer's size. The
     * contract of the extent is in extent.h. DATA may be in a hole of its
     * object, or beyond its end: image_map() takes care of both.
     */
    int (*map)(struct layer *layer, uint64_t offset, uint64_t length,
               struct extent *extent, struct error *error);

    /* Free format_data. The owner of the layer frees the rest. */
    void (*close)(struct layer *layer);
};

struct layer {
    const struct layer_ops *ops;
    struct reader *reader;
    struct reader *data_file; /* NULL: the reader has the data, too */
    uint64_t size;            /* of the guest's disk: whole sectors */
    uint32_t largest_cluster; /* that may be compressed; 0: none is */
    char *backing_name;       /* as the image has it; NULL: none */
    char *backing_format;     /* NULL: probe */
    void *format_data;        /* what the format needs to map */
};

/*
 * What a format needs to know to open a layer. Its open function (format.h)
 * fills a layer whose reader is set. If it fails after it has set ops,
 * ops->close() undoes what it did.
 */
struct layer_options {
    const char *snapshot; /* NULL: the active disk */
    struct file_options files;
    bool standalone; /* open no other file */
};

/* Read metadata. As in QEMU, bytes beyond the end of the object are zeros. */
int metadata_read(struct reader *reader, uint64_t offset, void *buf, size_t len,
                  struct error *error);

#endif
