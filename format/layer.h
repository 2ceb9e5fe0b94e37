/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A layer of an image: one file in its format, and the name of the backing file
 * that shows through where it has nothing.
 */
#ifndef FORMAT_LAYER_H
#define FORMAT_LAYER_H

#include "image/image.h"
#include "qemu/files.h"

struct layer;

struct layer_ops {
    /*
     * What the layer has at offset: the contract of image.h. length ends not
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
    const char *format; /* a name of qemu-img's */
    struct reader *reader;
    struct reader *data_file;     /* NULL: data is in the reader, too */
    struct reader *container;     /* the file, where QEMU reads it; else NULL */
    struct qemu_files qemu_files; /* what else QEMU has open for it */
    uint64_t size;                /* of the guest's disk: whole sectors */
    uint32_t largest_cluster;     /* that may be compressed */
    const char *hidden_format;    /* read as raw, it may be this; or NULL */
    bool unpinned;         /* probed, where a guest may have written it */
    char *backing_name;    /* as the image has it; NULL: none */
    char *backing_format;  /* NULL: probe */
    struct layer *backing; /* opened by the chain */
    void *format_data;     /* of the format */
    struct extent extent;  /* the last that was mapped */
};

/* What a format needs to know to open a layer. */
struct layer_options {
    const char *snapshot; /* NULL: the active disk */
    struct file_options files;
    bool standalone; /* open no other file */
    const struct image_options *image;
};

/* What a layer is opened from. The format, if any, must live as long as the
 * layer. */
struct layer_source {
    const char *path;   /* or what QEMU takes for one; NULL: not known */
    const char *name;   /* for messages */
    const char *format; /* NULL: probe */
    bool image_opts;    /* the path is an option string of QEMU's */
    bool recorded;      /* an image has the path, the user did not type it */
};

/*
 * Open a layer, but none below it. Where a reader of the source is there it
 * becomes the layer's, and is closed on an error; NULL: it is opened.
 */
int layer_open(struct reader *reader, const struct layer_source *source,
               const struct layer_options *options, struct layer **layer,
               struct error *error);
void layer_close(struct layer *layer);

/*
 * Open functions fill a layer whose reader is set, and leave what they did to
 * ops->close() when they fail after setting ops.
 */
int raw_open(struct layer *layer, const struct layer_options *options,
             struct error *error);
int qcow2_open(struct layer *layer, const struct layer_options *options,
               struct error *error);

/* Read metadata. Bytes beyond the end of the object are zeros, as QEMU has
 * it. */
int metadata_read(struct reader *reader, uint64_t offset, void *buf, size_t len,
                  struct error *error);

/* Add a warning to those that the user is shown, unless it is there. */
int image_warn(struct image *image, struct error *error, const char *format,
               ...) __attribute__((format(printf, 3, 4)));

/* Add the warnings of all that is open for the image. */
int image_tell_warnings(struct image *image, struct error *error);

/* A path that path_of_name() gave, written so that nobody takes it for a name
 * with a protocol, or "file:". The caller frees it. NULL when out of memory. */
char *plain_path(const char *path);

#endif
