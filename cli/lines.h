/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lines of a list, which may be no list at all, and endless.
 */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct lines;

/* Open a list; NULL is standard input. name is for messages. A disk image is
 * refused, with a message that says what to do. */
int lines_open(const char *path, const char *name, struct lines **lines,
               struct error *error);

/*
 * The next line, without its newline or CR LF, and with a NUL behind it. It may
 * be changed, and is gone with the next call. *line is NULL at the end.
 */
int lines_next(struct lines *l, char **line, size_t *len, struct error *error);

/* Whether standard input is the list, by any name. */
bool lines_are_stdin(const struct lines *l);

void lines_close(struct lines *l);

#endif
