/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the user should know of an image, although it can be read.
 */
#ifndef IMAGE_WARNINGS_H
#define IMAGE_WARNINGS_H

#include "image/image.h"

/* Add a warning to those that the user is shown, unless it is there. */
int image_warn(struct image *image, struct error *error, const char *format,
               ...) __attribute__((format(printf, 3, 4)));

/* Add the warnings of all that is open for the image. */
int image_tell_warnings(struct image *image, struct error *error);

#endif
