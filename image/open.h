/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening one layer of an image: what its name stands for, and in which format
 * it is.
 */
#ifndef IMAGE_OPEN_H
#define IMAGE_OPEN_H

#include "format/layer.h"
#include "format/lookalike.h"
#include "image/image.h"

struct qemu_files;

/* A layer of a chain. */
struct chain_layer {
    struct layer layer;
    struct chain_layer *backing; /* NULL: it is the last */
    struct extent last;          /* the last answer of its map */

    const char *format;            /* as in 'qemu-img -f' */
    struct reader *container;      /* what has the image that QEMU reads, if it
                                    * is open here, too; or NULL */
    struct qemu_files *qemu_files; /* what else QEMU has open; or NULL */
    bool networked;                /* QEMU reads it, perhaps from servers */
    struct lookalike lookalike;    /* of what is read as raw */
    const char *descriptor;        /* a file beside the image that names several
                                    * images of its disk; or NULL */
    bool unpinned;                 /* the format was probed, and a guest may
                                    * have made its disk look like it */
};

/* What a layer is opened from. */
enum source_kind {
    SOURCE_FILE,    /* a file, by its path */
    SOURCE_EXPORT,  /* an NBD export, by its URI */
    SOURCE_SERVER,  /* a name with another protocol, which QEMU knows */
    SOURCE_JSON,    /* a name that begins with json: and an option string: */
    SOURCE_OPTIONS, /* whatever they describe, QEMU opens it */
    SOURCE_READER,  /* an open reader of something that has no name */
    SOURCE_MEMBER,  /* a member of an archive, by its name there */
};

/* What a name of an image is, unless it is an option string. */
enum source_kind source_kind_of(const char *name);

/* The format, if any, must live as long as the layer. */
struct layer_source {
    enum source_kind kind;
    const char *path;     /* or the URI, name or option string; SOURCE_READER:
                           * NULL */
    const char *base;     /* from which relative names in the image start: its
                           * path, or a name with a protocol; NULL: it is in no
                           * directory */
    const char *name;     /* for messages */
    const char *format;   /* NULL: probe */
    const char *snapshot; /* NULL: the active disk */
    bool recorded;        /* an image has the path, the user did not type it */
};

/*
 * Open a layer, but none below it. reader is that of a SOURCE_READER, or of a
 * SOURCE_FILE that is open already, or NULL. It becomes the layer's, and is
 * closed on an error.
 */
int layer_open(struct reader *reader, const struct layer_source *source,
               const struct image_options *options, struct chain_layer **layer,
               struct error *error);
void layer_close(struct chain_layer *layer);

#endif
