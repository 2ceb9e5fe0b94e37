/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Progress for a program: lines "N/100" on a descriptor, as nbdcopy writes
 * them.
 */
#ifndef CLI_PERCENT_H
#define CLI_PERCENT_H

#include <stdbool.h>

#include "engine/engine.h"

/* Read the number of a descriptor that lines can be written to. False: a usage
 * message was printed. */
bool percent_parse_fd(const char *text, int *fd);

/* The next image begins: write 0/100. */
void percent_begin(int fd);

/* Write a line if it differs from the last one. */
void percent_write(const struct engine_progress *progress);

/* The image is done. */
void percent_done(void);

#endif
