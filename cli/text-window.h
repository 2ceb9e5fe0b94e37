/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A window on a text that is read from a file, which may be endless: from what
 * is not taken yet to what was read last.
 */
#ifndef CLI_TEXT_WINDOW_H
#define CLI_TEXT_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "common/error.h"

struct text_window {
    int fd;           /* stays open */
    const char *name; /* for messages; the caller's */
    char *buffer;     /* with a NUL after its end */
    size_t size;      /* of the buffer, without the NUL */
    size_t pos;       /* of what is not taken yet */
    size_t end;       /* of what was read */
    bool ended;       /* nothing is left in the file */
    bool started;     /* something was read, and before that, */
    struct stat before;
};

/* Read more, as much as there is at once. The buffer may move. That a regular
 * file changed since the first read is an error at its end. */
int text_window_read(struct text_window *w, struct error *error);

/* Take all characters that are in `skip`. *found: another one is behind them.
 * It is false at the end of the file. */
int text_window_skip(struct text_window *w, const char *skip, bool *found,
                     struct error *error);

/* Look for a character that is not in `skip`, likewise, but take none: set *n
 * to its place behind pos, from the place that is there already, to max. */
int text_window_find(struct text_window *w, const char *skip, size_t max,
                     size_t *n, bool *found, struct error *error);

enum json_found {
    JSON_FOUND,
    JSON_CUT, /* the file ends before it does */
    JSON_BAD, /* it is not JSON, or nested too deeply, or longer than max */
};

/* Find where the JSON object or array ends that begins at pos: *n characters
 * behind it. What is in it is not looked at: json_parse() does that. */
int text_window_find_json(struct text_window *w, size_t max, size_t *n,
                          enum json_found *found, struct error *error);

/* Free the buffer. */
void text_window_free(struct text_window *w);

#endif
