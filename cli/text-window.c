/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/text-window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/read.h"
#include "common/units.h"

#define BUFFER_SIZE (64 * KiB)

/* Deeper than json_parse() accepts. So where many brackets open and none is
 * closed, a text that is tried from each of them is not read more often. */
#define MAX_DEPTH 32

/* --- the window --------------------------------------------------------- */

/* Make room behind the end. */
static bool make_room(struct text_window *w)
{
    size_t size = 2 * w->size + BUFFER_SIZE;
    char *buffer;

    if (w->end < w->size)
        return true;
    if (w->pos) {
        memmove(w->buffer, w->buffer + w->pos, w->end - w->pos);
        w->end -= w->pos;
        w->pos = 0;
        return true;
    }
    buffer = realloc(w->buffer, size + 1);
    if (!buffer)
        return false;
    w->buffer = buffer;
    w->size = size;
    return true;
}

/* --- the file ----------------------------------------------------------- */

static int get_stat(const struct text_window *w, struct stat *st,
                    struct error *error)
{
    if (fstat(w->fd, st) == 0)
        return 0;
    return error_set(error, errno, "%s: fstat: %s", w->name, strerror(errno));
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Lines may be missing now, or those of two texts be mixed, and all of them
 * look good. */
static int check_change(const struct text_window *w, struct error *error)
{
    struct stat now;
    int err = get_stat(w, &now, error);

    if (err || !S_ISREG(now.st_mode) || is_same(&now, &w->before))
        return err;
    return error_set(error, EBUSY, "%s: the file changed while it was read",
                     w->name);
}

int text_window_read(struct text_window *w, struct error *error)
{
    ssize_t n;

    if (!make_room(w))
        return error_no_memory(error, w->name);
    if (!w->started && get_stat(w, &w->before, error))
        return error->code;
    w->started = true;
    n = read_wait(w->fd, w->buffer + w->end, w->size - w->end);
    if (n < 0)
        return error_set(error, errno, "%s: read error: %s", w->name,
                         strerror(errno));
    w->end += n;
    w->buffer[w->end] = 0;
    w->ended = n == 0;
    return w->ended ? check_change(w, error) : 0;
}

/* --- what is in it ------------------------------------------------------ */

/* Have character n from pos on in the window, unless the file ends before. */
static int need(struct text_window *w, size_t n, bool *there,
                struct error *error)
{
    int err = 0;

    /* A terminal can go on after an end of file. */
    while (!err && w->end - w->pos <= n && !w->ended)
        err = text_window_read(w, error);
    *there = !err && w->end - w->pos > n;
    return err;
}

static bool is_one_of(char c, const char *characters)
{
    return memchr(characters, c, strlen(characters)) != NULL;
}

int text_window_skip(struct text_window *w, const char *skip, bool *found,
                     struct error *error)
{
    int err;

    while (!(err = need(w, 0, found, error)) && *found &&
           is_one_of(w->buffer[w->pos], skip))
        w->pos++;
    return err;
}

int text_window_find(struct text_window *w, const char *skip, size_t max,
                     size_t *n, bool *found, struct error *error)
{
    int err;

    while (!(err = need(w, *n, found, error)) && *found && *n < max &&
           is_one_of(w->buffer[w->pos + *n], skip))
        (*n)++;
    return err;
}

void text_window_free(struct text_window *w)
{
    free(w->buffer);
    w->buffer = NULL;
}

/* --- JSON --------------------------------------------------------------- */

struct scan {
    unsigned depth;
    bool in_string;
    bool escaped; /* the next character of the string */
};

/* A quote that is missing is noticed at the end of the line. */
static bool scan_string(struct scan *scan, char c)
{
    if (scan->escaped)
        scan->escaped = false;
    else if (c == '\\')
        scan->escaped = true;
    else if (c == '"')
        scan->in_string = false;
    return c != '\n';
}

/* False: this is not JSON. */
static bool scan_character(struct scan *scan, char c)
{
    if (scan->in_string)
        return scan_string(scan, c);
    if (c == '"')
        scan->in_string = true;
    else if (c == '{' || c == '[')
        scan->depth++;
    else if (c == '}' || c == ']')
        scan->depth--;
    return scan->depth <= MAX_DEPTH;
}

int text_window_find_json(struct text_window *w, size_t max, size_t *n,
                          enum json_found *found, struct error *error)
{
    struct scan scan = { .depth = 0 };

    *n = 0;
    do {
        bool there;
        int err = need(w, *n, &there, error);

        *found = there ? JSON_BAD : JSON_CUT;
        if (err || !there || *n == max ||
            !scan_character(&scan, w->buffer[w->pos + (*n)++]))
            return err;
    } while (scan.depth);
    *found = JSON_FOUND;
    return 0;
}
