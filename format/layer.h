/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A layer of an image: one file in its format, and the name of the backing file
 * that shows through where it has nothing.
 */
#ifndef FORMAT_LAYER_H
#define FORMAT_LAYER_H

#include "format/extent.h"

struct layer;

struct layer_ops {
    /*
     * What the layer has at offset: the contract of extent.h. length ends not
     * beyond the layer's size. DATA may lie beyond the end of its object, and
     * in holes of it; the chain finds out.
     */
    int (*map)(struct layer *layer, uint64_t offset, uint64_t length,
               struct extent *extent, struct error *error);

    /* Free all but the struct layer's own. */
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

/* Read metadata. Bytes beyond the end of the object are zeros, as QEMU has
 * it. */
int metadata_read(struct reader *reader, uint64_t offset, void *buf, size_t len,
                  struct error *error);

#endif
