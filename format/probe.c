/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/probe.h"

#include <errno.h>
#include <string.h>

#include "common/array.h"
#include "common/bytes.h"
#include "format/format.h"

/* The bytes at the start that are looked at. */
#define START_SIZE 512

/* Some formats have their header in so many bytes at the end. */
#define END_SIZE 512

/* Find the first format from `from` on. NULL: there is none. */
static const struct format *find_by_start(const struct format *from,
                                          const unsigned char *start,
                                          size_t len)
{
    for (const struct format *f = from; f < formats + format_count; f++) {
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
    const struct format *format = find_by_start(formats, start, len);

    return format ? format->name : NULL;
}

bool probe_is_list(const void *start, size_t len)
{
    static const struct magic magic = { .length = 8, .bytes = "BLKLIST" };

    return magic_matches(&magic, start, len);
}

int probe_refuse_list(const char *name, struct error *error)
{
    return error_set(error, EINVAL,
                     "%s: is a digest list, not an image; --show reads it "
                     "('-f raw' hashes the bytes as they are)",
                     name);
}

/* Find the formats that QEMU's probing recognises. *rival is NULL if there is
 * one at most. */
static const struct format *find(const unsigned char start[START_SIZE],
                                 const char *path, const struct format **rival)
{
    const struct format *by_suffix = find_by_suffix(path);
    const struct format *format = find_by_start(formats, start, START_SIZE);

    *rival = NULL;
    if (!format)
        return by_suffix;
    *rival = find_by_start(format + 1, start, START_SIZE);
    if (!*rival && format->weak)
        *rival = by_suffix;
    return format;
}

/* Find a format whose header is in the last bytes, or in the last sector, which
 * may be shorter. */
static int find_at_end(struct reader *r, const unsigned char *start,
                       const char **lookalike, struct error *error)
{
    unsigned char end[END_SIZE] = { 0 };
    const uint64_t places[] = {
        r->size - END_SIZE,
        round_up(r->size, END_SIZE) - END_SIZE,
    };
    int err = 0;

    *lookalike = find_lookalike(start, end);
    if (r->size < END_SIZE)
        return 0;
    for (size_t i = 0; !err && !*lookalike && i < ARRAY_SIZE(places); i++) {
        if (i && places[i] == places[i - 1])
            break;
        err = metadata_read(r, places[i], end, sizeof(end), error);
        if (!err)
            *lookalike = find_lookalike(start, end);
    }
    return err;
}

int probe_format(struct reader *r, const char *path, struct probe *found,
                 struct error *error)
{
    unsigned char start[START_SIZE];
    const struct format *format, *rival;
    int err = metadata_read(r, 0, start, sizeof(start), error);

    *found = (struct probe){ .format = "raw" };
    if (err)
        return err;
    found->is_list = probe_is_list(start, sizeof(start));
    format = find(start, path, &rival);
    if (format) {
        found->format = format->name;
        found->rival = rival ? rival->name : NULL;
        return 0;
    }
    return find_at_end(r, start, &found->lookalike, error);
}

int probe_check(const struct probe *found, const char *name,
                struct error *error)
{
    if (found->is_list)
        return probe_refuse_list(name, error);
    if (!found->rival)
        return 0;
    return error_set(error, EINVAL,
                     "%s: looks like both a %s and a %s image; give its "
                     "format, for example with -f",
                     name, found->format, found->rival);
}
