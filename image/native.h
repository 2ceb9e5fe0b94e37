/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Layers in formats that are read without QEMU.
 */
#ifndef IMAGE_NATIVE_H
#define IMAGE_NATIVE_H

#include "image/open.h"

/* The path for walk_image() of an image that has this path: NULL if the path is
 * one of a descriptor, which names no directory. */
const char *walk_base(const char *path);

/*
 * Whether QEMU has to read a layer although its format is native: it names
 * extents that are no plain files, and the user trusts such names. The reader
 * of the layer is open.
 */
int native_has_foreign_extents(const struct chain_layer *layer,
                               const struct layer_source *source,
                               const char *format,
                               const struct image_options *options,
                               bool *foreign, struct error *error);

/* Open a layer in a native format. Its reader is open. */
int native_open(struct chain_layer *layer, const struct layer_source *source,
                const char *format, const struct image_options *options,
                struct error *error);

#endif
