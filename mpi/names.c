/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/names.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/read.h"

#define STANDARD_INPUT "-"

static int read_all(int fd, const char *name, char **text, size_t *len,
                    struct error *error)
{
    size_t room = 1 << 16;
    ssize_t n;

    *len = 0;
    do {
        char *more = *text;

        if (!more || *len == room)
            more = realloc(*text, (room *= 2) + 1);
        if (!more)
            return error_no_memory(error, name);
        *text = more;
        n = read_wait(fd, *text + *len, room - *len);
        if (n < 0)
            return error_set(error, errno, "%s: read error: %s", name,
                             strerror(errno));
        *len += (size_t)n;
    } while (n > 0);
    (*text)[*len] = 0;
    return 0;
}

static int read_file(const char *name, char **text, size_t *len,
                     struct error *error)
{
    bool is_stdin = strcmp(name, STANDARD_INPUT) == 0;
    int fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    int err;

    if (fd < 0)
        return error_set(error, errno, "%s: %s", name, strerror(errno));
    err = read_all(fd, name, text, len, error);
    if (!is_stdin)
        close(fd);
    return err;
}

static int add(struct names *names, char *name, const char *file,
               struct error *error)
{
    char **all = names->all;

    if (strcmp(name, STANDARD_INPUT) == 0)
        return error_set(error, EINVAL,
                         "%s: standard input cannot be an image: each rank has "
                         "another one",
                         file);
    /* The room is a power of two. */
    if ((names->count & (names->count - 1)) == 0)
        all = realloc(all, (names->count ? 2 * names->count : 1) *
                               sizeof(*names->all));
    if (!all)
        return error_no_memory(error, file);
    names->all = all;
    names->all[names->count++] = name;
    return 0;
}

/* A name ends with a newline, or with a NUL. */
static int add_lines(struct names *names, const char *file, size_t len,
                     char separator, struct error *error)
{
    char *p = names->text, *end = p + len;
    int err = 0;

    while (!err && p < end) {
        char *next = memchr(p, separator, end - p);

        if (!next)
            next = end;
        *next = 0;
        if (strlen(p) < (size_t)(next - p))
            return error_set(error, EINVAL,
                             "%s: a NUL in a line; --null is for names that "
                             "end with one",
                             file);
        if (*p)
            err = add(names, p, file, error);
        p = next + 1;
    }
    return err;
}

int names_read(struct names *names, const struct options *o,
               struct error *error)
{
    const char *file = o->files_from;
    size_t len = 0;
    int err = 0;

    *names = (struct names){ .count = 0 };
    for (int i = 0; !err && i < o->image_count; i++)
        err = add(names, o->images[i], o->images[i], error);
    if (err || !file)
        return err;
    err = read_file(file, &names->text, &len, error);
    if (!err)
        err = add_lines(names, file, len, o->files_null ? 0 : '\n', error);
    if (!err && names->count > INT_MAX)
        err = error_set(error, E2BIG, "%s: too many names", file);
    return err;
}

void names_free(struct names *names)
{
    free(names->all);
    free(names->text);
}
