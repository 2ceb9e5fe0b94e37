/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The progress of an image, or of several, on stderr or on a descriptor.
 *
 * One image has a bar. Several have one line, which says which of them is at
 * work and how long all others take. On a terminal, either stays in its place
 * until something else is printed; a log gets a line each second.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>

#include "engine/engine.h"

/* Where and when progress is shown: by default on a terminal, if all images
 * take more than a second. */
struct progress_options {
    bool always; /* at once, and also if stderr is not a terminal */
    bool never;
    bool to_fd; /* lines for a program instead of a bar */
    int fd;
};

/* Whether a line may be drawn: it is worth counting the images. */
bool progress_may_draw(const struct progress_options *options);

/* --- all images ---------------------------------------------------------- */

/* Before the first image: there will be so many of them; 0: not known. all: the
 * sum of their sizes, by series_size(); 0: not known. Without this call, there
 * is only one. */
void progress_expect(const struct progress_options *options, uint64_t count,
                     uint64_t all);

/* The next image begins, of this size. Nothing else may follow: it may be
 * missing. */
void progress_next(const char *name, uint64_t size);

/* All are done. Wipe the line, unless the user asked for it. */
void progress_finish(void);

/* --- one image ----------------------------------------------------------- */

/* From now on the bar is for this image; a message wipes it, and it comes back
 * with the next update. allocated: the approximate number of bytes to read; 0:
 * not known. */
void progress_begin(const char *name, uint64_t allocated,
                    const struct progress_options *options);

/* Milliseconds until the next update; -1: there is none. */
int progress_interval(void);

/* Draw the bar, if it is time to. */
void progress_update(const struct engine_progress *progress);

/* Print one line, for SIGUSR1. */
void progress_report(const struct engine_progress *progress);

/* The image is done or has failed. Wipe the bar, unless the user asked for it.
 */
void progress_end(const struct engine_progress *progress, bool done);

/* Wipe the line in a signal handler that ends the process. */
void progress_wipe_in_handler(void);

#endif
