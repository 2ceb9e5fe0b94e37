/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How far an image is, on stderr or a descriptor.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>

#include "engine/engine.h"

/* Where and when it is shown. By default on a terminal, when the image takes
 * more than a moment. */
struct progress_options {
    bool always; /* at once, and also where stderr is no terminal */
    bool never;
    bool to_fd; /* not a bar, but lines for a program to read */
    int fd;
};

/* From now on the bar is for this image; a message wipes it, and it comes back
 * with the next update. allocated: the approximate number of bytes to read; 0:
 * not known. */
void progress_begin(const char *name, uint64_t allocated,
                    const struct progress_options *options);

/* Milliseconds until it wants to be updated; -1: never. */
int progress_interval(void);

/* Draw the bar, if it is time to. */
void progress_update(const struct engine_progress *progress);

/* Print one line, whatever is drawn: the answer to SIGUSR1. */
void progress_report(const struct engine_progress *progress);

/* The image is done, or failed: leave the bar when it was asked for, or wipe
 * it. */
void progress_end(const struct engine_progress *progress, bool done);

#endif
