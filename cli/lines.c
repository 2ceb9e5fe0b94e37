/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/units.h"
#include "image/probe.h"

/* Room for the longest path, escaped, and for a long backing chain of JSON. */
#define MAX_LINE (16 * MiB)

#define BUFFER_SIZE (64 * KiB)

/* A list has no NUL there, and a disk image has. */
#define LOOK_SIZE (4 * KiB)

/* Hex digits of the shortest digest. */
#define SHORTEST_HEX 32

struct lines {
    int fd;
    const char *name;
    size_t pos; /* of the buffer: what is not yet taken */
    size_t end;
    char *line;
    size_t len;
    size_t size; /* of line */
    char buffer[BUFFER_SIZE];
};

static int fill(struct lines *l, struct error *error)
{
    ssize_t n;

    do
        n = read(l->fd, l->buffer, sizeof(l->buffer));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_set(error, errno, "%s: %s", l->name, strerror(errno));
    l->pos = 0;
    l->end = n;
    return 0;
}

/* Whether a line that --zero wrote stands before the first NUL. */
static bool looks_zero_ended(const struct lines *l)
{
    size_t len = strnlen(l->buffer, l->end);

    return len > SHORTEST_HEX &&
           (strspn(l->buffer, "0123456789abcdef") >= SHORTEST_HEX ||
            strncmp(l->buffer, "BLKHASH-", 8) == 0);
}

/* The user gave an image where a list is wanted. */
static int refuse_image(const struct lines *l, const char *format,
                        struct error *error)
{
    return error_set(error, EINVAL,
                     "%s: is a %s image, not a list of checksums; leave out -c "
                     "to print its checksum, or give -c the list that has it",
                     l->name, format);
}

/* Look at the start of what may be no list. */
static int check_start(struct lines *l, struct error *error)
{
    const char *format = probe_magic(l->buffer, l->end);
    size_t len = l->end < LOOK_SIZE ? l->end : LOOK_SIZE;

    if (format)
        return refuse_image(l, format, error);
    if (l->end >= 2 && (memcmp(l->buffer, "\xff\xfe", 2) == 0 ||
                        memcmp(l->buffer, "\xfe\xff", 2) == 0))
        return error_set(error, EINVAL,
                         "%s: is UTF-16 text; a list must be UTF-8", l->name);
    if (memchr(l->buffer, 0, len)) {
        if (looks_zero_ended(l))
            return error_set(error, EINVAL,
                             "%s: lines end in NUL; a list that was written "
                             "with --zero can not be checked",
                             l->name);
        return refuse_image(l, "raw disk", error);
    }
    /* A byte order mark, as some editors put it. */
    if (l->end >= 3 && memcmp(l->buffer, "\xef\xbb\xbf", 3) == 0)
        l->pos = 3;
    return 0;
}

int lines_open(const char *path, const char *name, struct lines **lines,
               struct error *error)
{
    struct lines *l = calloc(1, sizeof(*l));
    int err;

    if (!l)
        return error_set(error, ENOMEM, "%s: out of memory", name);
    l->name = name;
    l->fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (l->fd < 0)
        err = error_set(error, errno, "%s: %s", name, strerror(errno));
    else
        err = fill(l, error);
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
                             "%s: has a line that is too long for a list of "
                             "checksums",
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
            err = fill(l, error);
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

void lines_close(struct lines *l)
{
    if (l->fd > STDIN_FILENO)
        close(l->fd);
    free(l->line);
    free(l);
}
