/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The images that a walk has visited. An image that is named a thousand times
 * is visited once.
 */
#ifndef IMAGE_VISITED_H
#define IMAGE_VISITED_H

#include <stdbool.h>

#include "common/error.h"
#include "reader/reader.h"

struct visited {
    void *images;
};

/*
 * Enter an image, as one of a format, from whose base its relative names start.
 * *done, which is valid as long as visited, is false and must be set when the
 * visit ends, or it is NULL if there is nothing new to see. An image that is
 * entered from within itself, or again and again from other bases, is an error.
 */
int visited_enter(struct visited *visited, const struct reader *reader,
                  const char *base, const char *format, bool **done,
                  struct error *error);

void visited_free(struct visited *visited);

#endif
