/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A walk from an image that QEMU will read to all files that QEMU will open for
 * it, before QEMU follows the names in them. All these names must be those of
 * plain files. With options->trust_names they need not be, and *foreign tells
 * whether one is not.
 */
#ifndef IMAGE_WALK_H
#define IMAGE_WALK_H

#include "image/image.h"

struct description;

/* What a walk from an image found. */
struct walked {
    bool foreign;
    char *backing;              /* the path of its backing file; NULL: none.
                                 * walk_image()'s caller frees it */
    const char *backing_format; /* NULL: QEMU probes */
};

/* Walk from an image. path is its path, or its name with a protocol, or NULL if
 * it is in no directory. */
int walk_image(struct reader *reader, const char *path, const char *format,
               const struct image_options *options, struct walked *walked,
               struct error *error);

/* Walk from all files in a description. */
int walk_description(const struct description *description,
                     const struct image_options *options, bool *foreign,
                     struct error *error);

#endif
