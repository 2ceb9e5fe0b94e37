/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The progress of an image, on stderr or on a descriptor.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>

#include "engine/engine.h"

/* Where and when progress is shown: by default on a terminal, if the image
 * takes more than a second. */
struct progress_options {
    bool always; /* at once, and also if stderr is not a terminal */
    bool never;
    bool to_fd; /* lines for a program instead of a bar */
    int fd;
};

/* From now on the bar is for this image; a message wipes it, and it comes back
 * with the next update. allocated: the approximate number of bytes to read; 0:
 * not known. */
void progress_begin(const char *name, uint64_t allocated,
                    const struct progress_options *options);

/* Milliseconds until the next update; -1: there is none. */
int progress_interval(void);

/* Draw the bar, if it is time to. */
void progress_update(const struct engine_progress *progress);

/* Wipe the bar, and draw none until progress_show(): another thread writes to
 * the terminal. */
void progress_hide(void);
void progress_show(void);

/* Wipe the bar in a signal handler that ends the process. */
void progress_wipe_in_handler(void);

/* Print one line, for SIGUSR1. */
void progress_report(const struct engine_progress *progress);

/* The image is done or has failed. Wipe the bar, unless the user asked for it.
 */
void progress_end(const struct engine_progress *progress, bool done);

#endif
