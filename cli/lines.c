/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/parse-sum.h"
#include "common/units.h"
#include "format/probe.h"

/* Enough for the longest path, escaped, and for a long backing chain in JSON.
 */
#define MAX_LINE (16 * MiB)

#define BUFFER_SIZE (64 * KiB)

/* A disk image has a NUL in its first bytes, a list has none. */
#define LOOK_SIZE (4 * KiB)

/* The number of hex digits of the shortest digest. */
#define SHORTEST_HEX 32

struct lines {
    int fd;
    const char *name;
    size_t pos; /* in the buffer, of what is not taken yet */
    size_t end;
    bool ended; /* at the end of the file */
    char *line;
    size_t len;
    size_t size;                  /* of line */
    char buffer[BUFFER_SIZE + 1]; /* and a NUL */
};

/* Append to what is in the buffer. */
static int read_more(struct lines *l, struct error *error)
{
    ssize_t n;

    do
        n = read(l->fd, l->buffer + l->end, BUFFER_SIZE - l->end);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_set(error, errno, "%s: %s", l->name, strerror(errno));
    l->end += n;
    l->ended = n == 0;
    return 0;
}

static int refill(struct lines *l, struct error *error)
{
    l->pos = 0;
    l->end = 0;
    /* A terminal can go on after an end of file. */
    return l->ended ? 0 : read_more(l, error);
}

/* --- what is not a list ------------------------------------------------- */

static bool starts_sum(const char *text)
{
    return strspn(text, "0123456789abcdefABCDEF") >= SHORTEST_HEX ||
           sum_is_tagged(text);
}

/* Whether the text before the first NUL has a whole line of a list. The buffer
 * is zeroed after its end. */
static bool has_line(const struct lines *l)
{
    const char *text = l->buffer + l->pos;
    const char *newline;

    for (; (newline = strchr(text, '\n')) != NULL; text = newline + 1) {
        text += *text == '\\';
        if (starts_sum(text) || *text == '{' || *text == '#')
            return true;
    }
    return false;
}

/* Skip a byte order mark, which some editors write. */
static void skip_mark(struct lines *l)
{
    static const char mark[] = "\xef\xbb\xbf";

    if (strncmp(l->buffer, mark, strlen(mark)) == 0)
        l->pos = strlen(mark);
}

/* A pipe delivers its first bytes in pieces of any size. A whole line is
 * enough: its writer may wait for the verdict before it writes another. */
static int read_start(struct lines *l, struct error *error)
{
    int err = 0;

    while (!err && !l->ended && l->end < LOOK_SIZE && !has_line(l)) {
        err = read_more(l, error);
        skip_mark(l);
    }
    return err;
}

/* The user gave an image instead of a list. */
static int refuse_image(const struct lines *l, const char *format,
                        struct error *error)
{
    return error_set(error, EINVAL,
                     "%s: is a %s image, not a list of checksums; omit -c to "
                     "print its checksum",
                     l->name, format);
}

static bool is_device(const struct lines *l)
{
    struct stat st;

    return fstat(l->fd, &st) == 0 && S_ISBLK(st.st_mode);
}

static int check_start(struct lines *l, struct error *error)
{
    const char *format = probe_start(l->buffer, l->end);
    size_t len = l->end < LOOK_SIZE ? l->end : LOOK_SIZE;

    if (format)
        return refuse_image(l, format, error);
    if (is_device(l))
        return refuse_image(l, "raw disk", error);
    if (probe_is_list(l->buffer, l->end))
        return error_set(error, EINVAL,
                         "%s: is a digest list, not a list of checksums; "
                         "--show reads it",
                         l->name);
    if (l->end >= 2 && (memcmp(l->buffer, "\xff\xfe", 2) == 0 ||
                        memcmp(l->buffer, "\xfe\xff", 2) == 0))
        return error_set(error, EINVAL,
                         "%s: is UTF-16 text; a list must be UTF-8", l->name);
    if (!memchr(l->buffer, 0, len) || has_line(l))
        return 0;
    if (starts_sum(l->buffer))
        return error_set(error, EINVAL,
                         "%s: lines end in NUL; a list written with --zero "
                         "cannot be checked",
                         l->name);
    return refuse_image(l, "raw disk", error);
}

/* --- lines -------------------------------------------------------------- */

int lines_open(const char *path, const char *name, struct lines **lines,
               struct error *error)
{
    struct lines *l = calloc(1, sizeof(*l));
    int err;

    if (!l)
        return error_no_memory(error, name);
    l->name = name;
    l->fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : STDIN_FILENO;
    if (l->fd < 0)
        err = error_set(error, errno, "%s: %s", name, strerror(errno));
    else
        err = read_start(l, error);
    if (!err)
        err = check_start(l, error);
    if (err) {
        lines_close(l);
        return err;
    }
    *lines = l;
    return 0;
}

static int append(struct lines *l, const char *bytes, size_t n,
                  struct error *error)
{
    if (l->len + n + 1 > l->size) {
        size_t size = 2 * (l->len + n + 1);
        char *line = l->len + n <= MAX_LINE ? realloc(l->line, size) : NULL;

        if (!line)
            return error_set(error, EINVAL,
                             "%s: a line is too long for a list of checksums",
                             l->name);
        l->line = line;
        l->size = size;
    }
    memcpy(l->line + l->len, bytes, n);
    l->len += n;
    l->line[l->len] = 0;
    return 0;
}

int lines_next(struct lines *l, char **line, size_t *len, struct error *error)
{
    bool ended = false;
    bool any = false;
    int err = 0;

    l->len = 0;
    *line = NULL;
    while (!err && !ended) {
        const char *start = l->buffer + l->pos;
        const char *newline = memchr(start, '\n', l->end - l->pos);
        size_t n = newline ? (size_t)(newline - start) : l->end - l->pos;

        ended = newline != NULL;
        any = any || n || ended;
        err = append(l, start, n, error);
        l->pos += n + ended;
        if (!err && !ended) {
            err = refill(l, error);
            ended = l->end == 0;
        }
    }
    if (err || !any)
        return err;
    if (l->len && l->line[l->len - 1] == '\r')
        l->line[--l->len] = 0;
    *line = l->line;
    *len = l->len;
    return 0;
}

bool lines_are_stdin(const struct lines *l)
{
    struct stat list, in;

    return fstat(l->fd, &list) == 0 && fstat(STDIN_FILENO, &in) == 0 &&
           list.st_dev == in.st_dev && list.st_ino == in.st_ino;
}

void lines_close(struct lines *l)
{
    if (l->fd > STDIN_FILENO)
        close(l->fd);
    free(l->line);
    free(l);
}
