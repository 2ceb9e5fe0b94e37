/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How far an image is, on stderr.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>

#include "engine/engine.h"

/* From now on the bar is for this image. With always it is drawn at once, and
 * also where stderr is no terminal; otherwise only on a terminal, when the
 * image takes more than a moment. */
void progress_begin(const char *name, bool always);

/* Milliseconds until it wants to be updated; -1: never. */
int progress_interval(void);

/* Draw the bar, if it is time to. */
void progress_update(const struct engine_progress *progress);

/* Print one line, whatever is drawn: the answer to SIGUSR1. */
void progress_report(const struct engine_progress *progress);

/* The image is done: leave the bar when it was asked for, or wipe it. */
void progress_end(const struct engine_progress *progress);

/* Wipe the bar, so that a line can be printed. It comes back with the next
 * update. */
void progress_clear(void);

#endif
