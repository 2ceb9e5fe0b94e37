/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Progress for a program to read: lines "N/100" on a descriptor, as nbdcopy
 * writes them.
 */
#ifndef CLI_PERCENT_H
#define CLI_PERCENT_H

#include "engine/engine.h"

/* The next image begins: write 0/100. */
void percent_begin(int fd);

/* Write a line, when it differs from the last one. */
void percent_write(const struct engine_progress *progress);

/* The image is done. */
void percent_done(void);

#endif
