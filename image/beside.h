/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file beside an image that knows what the image hides: which other files
 * have parts of its disk. QEMU does not look at it.
 */
#ifndef IMAGE_BESIDE_H
#define IMAGE_BESIDE_H

#include "reader/reader.h"

/* How many images the descriptor names that lies in the directory of `path`. 0:
 * there is none, or it cannot be read. */
unsigned beside_count(const char *path, const char *descriptor);

#endif
