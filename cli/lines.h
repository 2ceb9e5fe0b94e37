/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lines of a list. The file may not be a list, and may be endless.
 */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct lines;

/* Open a list; NULL is standard input. name is for messages. A disk image is
 * refused with a message that tells what to do. */
int lines_open(const char *path, const char *name, struct lines **lines,
               struct error *error);

/*
 * Get the next line, without its newline or CR LF, and with a NUL at the end.
 * The caller may change it; it is valid until the next call. *line is NULL at
 * the end of the list.
 */
int lines_next(struct lines *l, char **line, size_t *len, struct error *error);

/* Whether the list is standard input, under any name. */
bool lines_are_stdin(const struct lines *l);

void lines_close(struct lines *l);

#endif
