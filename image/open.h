/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening one layer of an image: what its name stands for, and in which format
 * it is.
 */
#ifndef IMAGE_OPEN_H
#define IMAGE_OPEN_H

#include "format/layer.h"
#include "image/image.h"

/* What a layer is opened from. The format, if any, must live as long as the
 * layer. */
struct layer_source {
    const char *path;     /* or what QEMU takes for one; NULL: not known */
    const char *name;     /* for messages */
    const char *format;   /* NULL: probe */
    const char *snapshot; /* NULL: the active disk */
    bool image_opts;      /* the path is an option string of QEMU's */
    bool recorded;        /* an image has the path, the user did not type it */
};

/*
 * Open a layer, but none below it. Where a reader of the source is there it
 * becomes the layer's, and is closed on an error; NULL: it is opened.
 */
int layer_open(struct reader *reader, const struct layer_source *source,
               const struct image_options *options, struct layer **layer,
               struct error *error);
void layer_close(struct layer *layer);

#endif
