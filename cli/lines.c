/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/lines.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/parse-sum.h"
#include "cli/text-window.h"
#include "common/units.h"
#include "format/probe.h"

/* Enough for the longest path, escaped, and for a long backing chain in JSON.
 */
#define MAX_LINE (16 * MiB)

/* A disk image has a NUL in its first bytes, a list has none. */
#define LOOK_SIZE (4 * KiB)

/* The number of hex digits of the shortest digest. */
#define SHORTEST_HEX 32

/* "jq -s ." of lists that are arrays already. */
#define MAX_ARRAYS 2

struct lines {
    struct text_window text;
    uint64_t number; /* of the line at its pos */
    bool in_json;    /* something of JSON is before pos on its line */
    unsigned arrays; /* that have begun */
    uint64_t array;  /* the line of the first of them */
    char *nul;       /* the end of an object, or NULL; */
    char held;       /* the character that was there */
};

/* --- what is not a list ------------------------------------------------- */

static bool starts_sum(const char *text)
{
    return strspn(text, "0123456789abcdefABCDEF") >= SHORTEST_HEX ||
           sum_is_tagged(text);
}

/* Whether the text before the first NUL has a whole line of a list. */
static bool has_line(const struct lines *l)
{
    const char *text = l->text.buffer + l->text.pos;
    const char *newline;

    for (; (newline = strchr(text, '\n')) != NULL; text = newline + 1) {
        text += *text == '\\';
        if (starts_sum(text) || (*text && strchr("{[#", *text)))
            return true;
    }
    return false;
}

/* Skip a byte order mark, which some editors write. */
static void skip_mark(struct lines *l)
{
    static const char mark[] = "\xef\xbb\xbf";

    if (strncmp(l->text.buffer, mark, strlen(mark)) == 0)
        l->text.pos = strlen(mark);
}

/* A pipe delivers its first bytes in pieces of any size. A whole line is
 * enough: its writer may wait for the verdict before it writes another. */
static int read_start(struct lines *l, struct error *error)
{
    struct text_window *w = &l->text;
    int err;

    do {
        err = text_window_read(w, error);
        if (err)
            return err;
        assert(w->buffer);
        skip_mark(l);
    } while (!w->ended && w->end < LOOK_SIZE && !has_line(l));
    return 0;
}

/* The user gave an image instead of a list. */
static int refuse_image(const struct lines *l, const char *format,
                        struct error *error)
{
    return error_set(error, EINVAL,
                     "%s: is a %s image, not a list of checksums; omit -c to "
                     "print its checksum",
                     l->text.name, format);
}

static bool is_device(const struct lines *l)
{
    struct stat st;

    return fstat(l->text.fd, &st) == 0 && S_ISBLK(st.st_mode);
}

static int check_start(struct lines *l, struct error *error)
{
    const char *format = probe_start(l->text.buffer, l->text.end);
    size_t len = l->text.end < LOOK_SIZE ? l->text.end : LOOK_SIZE;

    if (format)
        return refuse_image(l, format, error);
    if (is_device(l))
        return refuse_image(l, "raw disk", error);
    if (probe_is_list(l->text.buffer, l->text.end))
        return error_set(error, EINVAL,
                         "%s: is a digest list, not a list of checksums; "
                         "--show reads it",
                         l->text.name);
    if (l->text.end >= 2 && (memcmp(l->text.buffer, "\xff\xfe", 2) == 0 ||
                             memcmp(l->text.buffer, "\xfe\xff", 2) == 0))
        return error_set(error, EINVAL,
                         "%s: is UTF-16 text; a list must be UTF-8",
                         l->text.name);
    if (!memchr(l->text.buffer, 0, len) || has_line(l))
        return 0;
    if (starts_sum(l->text.buffer))
        return error_set(error, EINVAL,
                         "%s: lines end in NUL; a list written with --zero "
                         "cannot be checked",
                         l->text.name);
    return refuse_image(l, "raw disk", error);
}

static int start(struct lines *l, struct error *error)
{
    int err = read_start(l, error);

    return err ? err : check_start(l, error);
}

/* --- lines -------------------------------------------------------------- */

int lines_open(const char *path, const char *name, struct lines **lines,
               struct error *error)
{
    struct lines *l;
    int err;

    if (path && !*path)
        return error_set(error, ENOENT, "the name of a list is empty");
    l = calloc(1, sizeof(*l));
    if (!l)
        return error_no_memory(error, name);
    l->text.name = name;
    l->number = 1;
    l->text.fd =
        path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO;
    if (l->text.fd < 0)
        err = error_set(error, errno, "%s: %s", name, strerror(errno));
    else
        err = start(l, error);
    if (err) {
        lines_close(l);
        return err;
    }
    *lines = l;
    return 0;
}

/* Take what is left of a line. */
static int take_line(struct lines *l, struct line *line, struct error *error)
{
    struct text_window *w = &l->text;
    char *newline;
    size_t n = 0;

    while (!(newline =
                 memchr(w->buffer + w->pos + n, '\n', w->end - w->pos - n)) &&
           !w->ended) {
        n = w->end - w->pos;
        if (n > MAX_LINE)
            return error_set(error, EINVAL,
                             "%s: a line is too long for a list of checksums",
                             w->name);
        if (text_window_read(w, error))
            return error->code;
    }
    line->text = w->buffer + w->pos;
    line->len = newline ? (size_t)(newline - line->text) : w->end - w->pos;
    w->pos += line->len + (newline != NULL);
    l->number++;
    l->in_json = false;
    if (line->len && line->text[line->len - 1] == '\r')
        line->len--;
    line->text[line->len] = 0;
    return 0;
}

/* Take an object of n characters. */
static void take_object(struct lines *l, size_t n, struct line *line)
{
    struct text_window *w = &l->text;

    line->text = w->buffer + w->pos;
    line->len = n;
    for (size_t i = 0; i < n; i++)
        l->number += line->text[i] == '\n';
    w->pos += n;
    l->nul = w->buffer + w->pos;
    l->held = *l->nul;
    *l->nul = 0;
    l->in_json = true;
}

/* Whether the bracket at n begins an array of objects, or of such arrays. */
static int begins_array(struct lines *l, size_t n, bool *begins,
                        struct error *error)
{
    struct text_window *w = &l->text;
    bool found;
    int err;

    n++;
    err = text_window_find(w, " \t\r", MAX_LINE, &n, &found, error);
    *begins = !err && l->arrays < MAX_ARRAYS &&
              (!found || memchr("\n{[]", w->buffer[w->pos + n], 4));
    return err;
}

/* Take what may be between objects: the character at n. */
static int take_separator(struct lines *l, size_t n, bool *taken,
                          struct error *error)
{
    char c = l->text.buffer[l->text.pos + n];
    int err = 0;

    *taken = (l->arrays && (c == ',' || c == ']')) || (l->in_json && c == '\n');
    if (c == '[')
        err = begins_array(l, n, taken, error);
    if (err || !*taken)
        return err;
    if (c == '[' && l->arrays++ == 0)
        l->array = l->number;
    if (c == ']')
        l->arrays--;
    if (c == '\n')
        l->number++;
    l->in_json = c != '\n';
    l->text.pos += n + 1;
    return 0;
}

/* Why what begins at n is nothing between objects. */
static const char *why_no_separator(const struct lines *l, size_t n)
{
    bool is_array = l->text.buffer[l->text.pos + n] == '[';

    return is_array && l->arrays == MAX_ARRAYS
               ? "JSON arrays are nested more than twice"
               : "something else among JSON objects";
}

/* At the end of the list. An array that is cut is noticed: objects may be
 * missing. */
static void take_end(struct lines *l, struct line *line)
{
    if (!l->arrays)
        return;
    line->text = l->text.buffer + l->text.end;
    line->number = l->array;
    line->why = "the JSON array does not end";
    l->arrays = 0;
}

/* Take a line, an object, or, if *more, what is between them. */
static int take(struct lines *l, struct line *line, bool *more,
                struct error *error)
{
    struct text_window *w = &l->text;
    size_t n = 0, len;
    enum json_found json = JSON_BAD;
    bool found;
    int err = text_window_find(w, l->in_json ? " \t\r" : " \t", MAX_LINE, &n,
                               &found, error);

    *more = false;
    *line = (struct line){ .number = l->number };
    if (err)
        return err;
    if (!found && (n == 0 || l->in_json)) {
        take_end(l, line);
        return 0;
    }
    if (found && w->buffer[w->pos + n] == '{') {
        w->pos += n;
        err = text_window_find_json(w, MAX_LINE, &len, &json, error);
    } else if (found) {
        err = take_separator(l, n, more, error);
        if (l->in_json && !*more)
            line->why = why_no_separator(l, n);
    }
    if (err || *more)
        return err;
    if (json == JSON_FOUND)
        take_object(l, len, line);
    return json == JSON_FOUND ? 0 : take_line(l, line, error);
}

int lines_next(struct lines *l, struct line *line, struct error *error)
{
    bool more = true;
    int err = 0;

    if (l->nul)
        *l->nul = l->held;
    l->nul = NULL;
    while (!err && more)
        err = take(l, line, &more, error);
    return err;
}

bool lines_are_stdin(const struct lines *l)
{
    struct stat list, in;

    return fstat(l->text.fd, &list) == 0 && fstat(STDIN_FILENO, &in) == 0 &&
           list.st_dev == in.st_dev && list.st_ino == in.st_ino;
}

void lines_close(struct lines *l)
{
    if (l->text.fd > STDIN_FILENO)
        close(l->text.fd);
    text_window_free(&l->text);
    free(l);
}
