/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An image is a map from what a guest sees to bytes of host objects.
 *
 * The contract of map(), on which everybody relies:
 *   - the extent starts at the offset that was asked;
 *   - it has at least one byte, and never more than was asked;
 *   - all its bytes are of one kind, and where the kind is DATA they lie in a
 *     row in one host object, all before its end.
 *
 * Threads: one thread at a time.
 */
#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "reader/reader.h"

enum extent_kind {
    EXTENT_ZERO, /* reads as zeros; nothing to read */
    EXTENT_DATA, /* bytes of a host object, as they are */
};

struct extent {
    uint64_t offset;
    uint64_t length;
    enum extent_kind kind;
    struct reader *reader; /* DATA: where, */
    uint64_t host_offset;  /*       and at which offset */
};

struct image;

struct image_ops {
    const char *format; /* its name, as qemu-img has it */
    int (*map)(struct image *image, uint64_t offset, uint64_t length,
               struct extent *extent, struct error *error);
    void (*close)(struct image *image);
};

struct image {
    const struct image_ops *ops;
    struct reader *reader; /* the host object that was named */
    uint64_t size;         /* of the guest's disk: whole sectors */
};

/*
 * Open what a reader has as an image. format is a name of qemu-img's, or NULL
 * to look at the first bytes. A container that is recognised but can not be
 * read is an error (ENOTSUP), never taken for a raw image. The image owns the
 * reader, which is closed on an error too.
 */
int image_open(struct reader *reader, const char *format, struct image **image,
               struct error *error);

/* Whether the reader's size is no multiple of a sector, so that the guest sees
 * zeros after its end. */
bool image_is_padded(const struct image *image);

void image_close(struct image *image);

/* --- formats, each in its file ------------------------------------------ */

int raw_open(struct reader *reader, struct image **image, struct error *error);

#endif
