/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The images of one call: which of them is at work, and how long all others
 * take. Plain numbers, without locks.
 */
#ifndef CLI_SERIES_H
#define CLI_SERIES_H

#include <stdbool.h>
#include <stdint.h>

struct series {
    uint64_t count;    /* of images; 0: not known */
    uint64_t index;    /* of the current one, from 1; 0: none yet */
    bool has_sizes;    /* false: all images count the same */
    uint64_t all;      /* the sizes of all images */
    uint64_t finished; /* of those before the current one */
    uint64_t current;
};

/* The size of an image in a series, of which there are so many bytes to read.
 * An image without any takes some time, too. */
uint64_t series_size(uint64_t to_read);

/* The next image begins, of this size. */
void series_next(struct series *s, uint64_t size);

/* The current image is open, and about so many bytes are to be read; 0: not
 * known. If that is much more than its size, then sizes say little: most of it
 * is in files below it. */
void series_found(struct series *s, uint64_t allocated);

/* Whether there are several images, or may be. */
bool series_has_several(const struct series *s);

/* Estimate the seconds that are left for all images, after some seconds of
 * work. part: what is done of the current image, 0 to 1. The result is negative
 * if there is no estimate. */
double series_left(const struct series *s, double part, double seconds);

#endif
