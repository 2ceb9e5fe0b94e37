/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Warnings about an image that can be read nevertheless.
 */
#ifndef IMAGE_WARNINGS_H
#define IMAGE_WARNINGS_H

#include "image/image.h"

/* Add a warning, unless it was given before. */
int image_warn(struct image *image, struct error *error, const char *format,
               ...) __attribute__((format(printf, 3, 4)));

/* Add the warnings of all readers of the image. */
int image_collect_warnings(struct image *image, struct error *error);

#endif
