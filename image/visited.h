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
 * Enter an image that is read in a format; its relative names start from base.
 * If it was visited before, *done becomes NULL. Otherwise **done is false, and
 * the caller sets it when the visit ends; it is valid as long as visited. An
 * image that is entered from within itself, or again and again from other
 * bases, is an error.
 */
int visited_enter(struct visited *visited, const struct reader *reader,
                  const char *base, const char *format, bool **done,
                  struct error *error);

void visited_free(struct visited *visited);

#endif
