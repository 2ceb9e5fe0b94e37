/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A place in an image that moves forward. The image is asked once for each
 * extent, however many slots it spans.
 */
#ifndef ENGINE_CURSOR_H
#define ENGINE_CURSOR_H

#include "image/image.h"

/* A slot ends after about this many extents: a hole may come in small parts,
 * each of which is looked up in another table. */
#define SLOT_EXTENTS 4096

/* All zeros at first, but for the image. */
struct cursor {
    struct image *image;
    uint64_t offset;      /* the caller moves it */
    struct extent extent; /* the last one: it contains offset, or ends there */
    unsigned asked;       /* extents that were asked for, for this slot */
};

/* Get the rest of the extent at the cursor, which is before the end. Nothing
 * from there on is asked for. */
int cursor_extent(struct cursor *c, uint64_t end, struct extent *rest,
                  struct error *error);

#endif
