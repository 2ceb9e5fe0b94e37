/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An image is a map (format/extent.h) from the guest's disk to bytes of host
 * objects. It is a chain of layers (format/layer.h), each in its format, with
 * the active one on top. All bytes of an extent are before the end of their
 * object.
 *
 * Threads: one at a time.
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/changes.h"
#include "common/error.h"
#include "format/extent.h"
#include "reader/reader.h"

struct chain_layer;
struct nbd_options;

struct image {
    struct chain_layer *top;
    const char *name;
    const char *bitmap;       /* of the options */
    const char *format;       /* of the top layer, as in 'qemu-img -f' */
    uint64_t size;            /* of the guest's disk, or of the part of it that
                               * the options ask for: whole sectors */
    uint64_t start, end;      /* of the part, on the disk of the top layer */
    uint32_t largest_cluster; /* that may be compressed; 0: none is */
    uint64_t table_span; /* the most that one table of a layer maps; 0: does not
                          * matter */
    bool padded;         /* with zeros, to a whole sector */
    bool cached;         /* all of it is read through the page cache */
    bool force_share;    /* a change of the image is not an error */
    bool no_extents;     /* holes of the host are read, as data */
    char **warnings;     /* for the user */
    size_t warning_count;
};

struct image_options {
    const char *format;   /* as in 'qemu-img -f'; NULL: probe */
    const char *member;   /* of a tar archive; NULL: the file is the image */
    const char *snapshot; /* an internal snapshot; NULL: the active disk */
    const char *bitmap; /* for image_bitmap(), as long as the image; NULL: that
                         * is not called */
    bool image_opts;    /* the path is an option string for QEMU */
    char *const *objects; /* --object, for what QEMU reads */
    size_t object_count;
    const struct nbd_options *nbd; /* NULL: the defaults */
    struct file_options files;
    bool standalone;   /* refuse an image that refers to another file */
    bool trust_names;  /* follow any name in an image */
    uint64_t max_size; /* refuse a larger disk, or part of one; 0: no limit */
    bool no_extents;   /* read what the host reports as a hole; do not ask
                        * servers for theirs */

    /* A part of the guest's disk, which is then the disk of the image. */
    uint64_t offset; /* where it begins */
    bool has_length; /* false: it is the rest of the disk */
    uint64_t length;
};

/*
 * Open an image and the files that it refers to. path is a path, an NBD URI, or
 * any other name that QEMU can open; name is for messages. If an image is
 * recognised but cannot be read, this is an error: it is never taken for a raw
 * image. The name of the format must live as long as the image. Call this from
 * the first thread, while there is no other.
 */
int image_open(const char *path, const char *name,
               const struct image_options *options, struct image **image,
               struct error *error);

/* The bitmap that an export must have (nbd_options.bitmap) to be read by these
 * options, whatever nbd says: NULL if it is not read as raw, as the bitmap is
 * then one of the image in it. */
const char *image_export_bitmap(const struct image_options *options);

/* Open an image in a reader, which the image then owns; it is closed on an
 * error, too. The image is in no directory, so a relative name in it is an
 * error. */
int image_open_reader(struct reader *reader,
                      const struct image_options *options, struct image **image,
                      struct error *error);

/* Open an image in a file that is open already, likewise. path is for QEMU, if
 * it has to open the file. base_path is the name of the file, from which
 * relative names in the image start. If it is NULL, they are errors. */
int image_open_file(struct reader *reader, const char *path,
                    const char *base_path, const struct image_options *options,
                    struct image **image, struct error *error);

/* Map a range of the disk, which is not empty, and ends at or before the
 * image's size. */
int image_map(struct image *image, uint64_t offset, uint64_t length,
              struct extent *extent, struct error *error);

/* A layer of the chain. The strings belong to the image. */
struct image_layer {
    const char *name;
    const char *format; /* as in 'qemu-img -f' */
    uint64_t size;      /* of its disk */
};

/* Layer n of the chain, from 0, the image itself. False if there is none. */
bool image_layer(const struct image *image, size_t n,
                 struct image_layer *layer);

/* What a layer is read from. The name belongs to the image. */
struct image_file {
    const char *name;
    uint64_t size;
    struct object_id id; /* of a file or a device */
    struct object_state state;
};

/* File n, from 0, of those that have layer `layer` and the layers below it: all
 * that are known. Of what is on a server, the server. False if there is none.
 */
bool image_file(const struct image *image, size_t layer, size_t n,
                struct image_file *file);

/*
 * Find a layer below the image by its file: a path, by whatever name, or a name
 * as image_layer() has it. It is an error if there is none, if only QEMU sees
 * it, or if its disk has another size than the image.
 */
int image_find_layer(const struct image *image, const char *file, size_t *n,
                     struct error *error);

/*
 * What the layers above layer n have, at whatever time it was written:
 * elsewhere the disk is that of layer n. The image must stay open. Threads: as
 * image_map(), and not at the same time.
 */
int image_changes_above(struct image *image, size_t n, struct changes **changes,
                        struct error *error);

/*
 * Get what the bitmap of the options records: a persistent bitmap of the
 * image, if it is a qcow2 image, or one of an export that is read as raw. A
 * backing file has other bitmaps, of another time. Free the changes before the
 * image is closed.
 */
int image_bitmap(struct image *image, struct changes **changes,
                 struct error *error);

/* The number of bytes that are stored for the image, approximately, to estimate
 * how much there is to read. 0 if it is not known, as of a part of a disk, or
 * if there is compression. */
uint64_t image_allocated(const struct image *image);

/* Check that no file of the chain has changed since it was opened. A change is
 * an error, or a warning with force_share. */
int image_check_unchanged(struct image *image, struct error *error);

/* NULL is accepted. */
void image_close(struct image *image);

/* Whether raw disks are found under such a path: that of a block device, or one
 * that ends in .raw or .img. A guest that writes its raw disk can make it look
 * like any format, and like a digest list. */
bool image_is_for_raw_disks(const char *path);

/* Whether a path is one of procfs, sysfs and the like, which image_open()
 * refuses. Do not read such a file either: of some, a read takes something. */
bool image_is_made_by_kernel(const char *path);

#endif
