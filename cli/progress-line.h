/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A line that shows progress, as long as there is room for.
 */
#ifndef CLI_PROGRESS_LINE_H
#define CLI_PROGRESS_LINE_H

#include "cli/series.h"
#include "engine/engine.h"

/* The widest line, in columns, and enough for its bytes. */
#define PROGRESS_MAX_WIDTH 511
#define PROGRESS_LINE_SIZE (4 * PROGRESS_MAX_WIDTH + 1)

/* The image at work. */
struct progress_image {
    const char *name;
    uint64_t allocated; /* about how much is to be read; 0: not known */
    double seconds;     /* since its engine has started */
    bool started;       /* false: only the name is known yet */
    struct engine_progress done;
};

/* Write "42.0% of 6.0 GiB, 2.1 GiB/s, 0:02 left", or of a pipe only what is
 * known. The rate does not count holes. */
void progress_describe(const struct progress_image *image, char *text,
                       size_t size);

/* Write that, or as much of it as there is room for, and a bar before it. */
void progress_line(const struct progress_image *image, unsigned width,
                   char line[PROGRESS_LINE_SIZE]);

/* Write "7 of 100, 12:34 left": of a series, after some seconds. */
void progress_describe_series(const struct series *s,
                              const struct progress_image *image,
                              double seconds, char *text, size_t size);

/* Write "7 of 100, 12:34 left: NAME: 42.0% of 6.0 GiB, 2.1 GiB/s", or as much
 * of it as there is room for. Of a long name, the beginning is cut off. It has
 * no secrets, and no control characters. */
void progress_line_of_series(const struct series *s,
                             const struct progress_image *image, double seconds,
                             unsigned width, char line[PROGRESS_LINE_SIZE]);

#endif
