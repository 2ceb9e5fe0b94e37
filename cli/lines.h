/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lines of a list. The file may not be a list, and may be endless.
 *
 * A JSON object may be on several lines, or be one of several on a line. The
 * objects may be in arrays, and these in another one: "jq ." and "jq -s ."
 * write them so. An object that does not end is only its first line.
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

/* A line, or a JSON object. */
struct line {
    char *text; /* with a NUL at the end; NULL: the list has ended */
    size_t len;
    uint64_t number; /* of the line, or of the first one, from 1 */
    const char *why; /* it cannot be a checksum, for this reason; or NULL */
};

/* Get the next one, without its newline or CR LF. The caller may change the
 * text; it is valid until the next call. */
int lines_next(struct lines *l, struct line *line, struct error *error);

/* Whether the list is standard input, under any name. */
bool lines_are_stdin(const struct lines *l);

void lines_close(struct lines *l);

#endif
