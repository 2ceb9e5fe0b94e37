/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/probe.h"

#include <string.h>

#include "format/format.h"

/* The bytes at the start that are looked at. */
#define START_SIZE 512

/* Some formats have their header in the last bytes. */
#define END_SIZE 512

static const struct format *find_by_start(const unsigned char *start,
                                          size_t len)
{
    for (size_t i = 0; i < format_count; i++) {
        const struct format *f = &formats[i];

        if (magic_matches(&f->magic, start, len) ||
            (f->probe && f->probe(start, len)))
            return f;
    }
    return NULL;
}

static const struct format *find_by_suffix(const char *path)
{
    size_t len = path ? strlen(path) : 0;

    for (size_t i = 0; i < format_count; i++) {
        const char *suffix = formats[i].suffix;
        size_t n = suffix ? strlen(suffix) : 0;

        if (n && len > n && strcmp(path + len - n, suffix) == 0)
            return &formats[i];
    }
    return NULL;
}

static const char *find_lookalike(const unsigned char start[START_SIZE],
                                  const unsigned char end[END_SIZE])
{
    for (size_t i = 0; i < format_count; i++) {
        const struct format *f = &formats[i];

        if (magic_matches(&f->lookalike_start, start, START_SIZE) ||
            magic_matches(&f->lookalike_end, end, END_SIZE))
            return f->name;
    }
    return NULL;
}

const char *probe_start(const void *start, size_t len)
{
    const struct format *format = find_by_start(start, len);

    return format ? format->name : NULL;
}

int probe_format(struct reader *r, const char *path, const char **name,
                 const char **lookalike, struct error *error)
{
    unsigned char start[START_SIZE], end[END_SIZE] = { 0 };
    const struct format *format;
    int err = metadata_read(r, 0, start, sizeof(start), error);

    *lookalike = NULL;
    if (err)
        return err;
    format = find_by_start(start, sizeof(start));
    if (!format)
        format = find_by_suffix(path);
    if (format) {
        *name = format->name;
        return 0;
    }
    *name = "raw";
    if (r->size >= END_SIZE)
        err = metadata_read(r, r->size - END_SIZE, end, sizeof(end), error);
    if (!err)
        *lookalike = find_lookalike(start, end);
    return err;
}
