/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The part of a layer's disk that is the disk of the image: --offset and
 * --length. It may begin and end at any byte; zeros fill its last sector,
 * whatever the disk has there.
 */
#ifndef IMAGE_DISK_PART_H
#define IMAGE_DISK_PART_H

#include <stdint.h>

#include "common/error.h"
#include "image/image.h"

/*
 * Check that a part ends at or before the end of a disk of `size` bytes, and
 * find where. name is that of the image, for messages.
 */
int disk_part_end(const struct image_options *options, const char *name,
                  uint64_t size, uint64_t *end, struct error *error);

/* Set the size of an image whose top layer is open, and where it begins and
 * ends on the disk of that layer. */
int disk_part_choose(struct image *image, const struct image_options *options,
                     struct error *error);

#endif
