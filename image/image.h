/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An image is a map (format/extent.h) from what a guest sees to bytes of host
 * objects: a chain of layers (format/layer.h), the active one on top, each in
 * its format. The bytes of an extent lie before the end of their object.
 *
 * Threads: one at a time.
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "format/extent.h"
#include "reader/reader.h"

struct chain_layer;
struct nbd_options;

struct image {
    struct chain_layer *top;
    const char *name;
    const char *format;       /* of the top layer, a name of qemu-img's */
    uint64_t size;            /* of the guest's disk: whole sectors */
    uint32_t largest_cluster; /* that may be compressed; 0: none is */
    bool padded;              /* zeros were added up to the end of a sector */
    bool force_share;         /* that it changes is no error */
    bool no_extents;          /* holes of the host are data, to be read */
    char **warnings;          /* what the user should know */
    size_t warning_count;
};

struct image_options {
    const char *format;   /* a name of qemu-img's; NULL: probe */
    const char *snapshot; /* an internal snapshot; NULL: the active disk */
    bool image_opts;      /* the path is an option string of QEMU's */
    char *const *objects; /* --object of QEMU's, for what QEMU reads */
    size_t object_count;
    const struct nbd_options *nbd; /* NULL: the defaults */
    struct file_options files;
    bool standalone;   /* an image that refers to another file is an error */
    bool trust_names;  /* follow names in images that are no plain file */
    uint64_t max_size; /* of the disk; a larger one is an error. 0: none */
    bool no_extents;   /* read what the host says is a hole */
};

/*
 * Open an image and the files that it refers to. path is a file, the URI of an
 * NBD export, or whatever QEMU takes for one; name is for messages. A container
 * that is recognised but cannot be read is an error, never taken for a raw
 * image. The name of the format must live as long as the image. Only from the
 * first thread of the process, while it is alone.
 */
int image_open(const char *path, const char *name,
               const struct image_options *options, struct image **image,
               struct error *error);

/* The same for a reader, which the image owns; it is closed on an error, too.
 * It is in no directory, so relative names in the image are errors. */
int image_open_reader(struct reader *reader,
                      const struct image_options *options, struct image **image,
                      struct error *error);

/* The same for a reader of a file that is open already. path is for QEMU,
 * should it have to open the file; names in the image start from base_path, its
 * own name, unless that is NULL: then relative ones are errors. */
int image_open_file(struct reader *reader, const char *path,
                    const char *base_path, const struct image_options *options,
                    struct image **image, struct error *error);

/* What is at offset: the contract above. length is not 0, and ends not beyond
 * the image's size. */
int image_map(struct image *image, uint64_t offset, uint64_t length,
              struct extent *extent, struct error *error);

/* A file of the backing chain. The strings belong to the image. */
struct image_layer {
    const char *name;
    const char *format; /* a name of qemu-img's */
};

/* The file number n of the chain, 0 the image itself. False: it has no more. */
bool image_layer(const struct image *image, size_t n,
                 struct image_layer *layer);

/* Bytes that are stored for the image, about: for an estimate of how much there
 * is to read. 0: not known, or they are compressed. */
uint64_t image_allocated(const struct image *image);

/* An error when a file of the chain is not what it was at open; with
 * force_share a warning. */
int image_check_unchanged(struct image *image, struct error *error);

/* NULL is accepted. */
void image_close(struct image *image);

#endif
