/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/probe.h"

#include <errno.h>
#include <string.h>

#include "common/array.h"
#include "common/bytes.h"
#include "format/format.h"
#include "format/tar.h"

/* The bytes at the start that are looked at. */
#define START_SIZE 512

/* Some formats have their header in so many bytes at the end. */
#define END_SIZE PROBE_END_SIZE

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

void probe_lookalike_start(const void *start, size_t len,
                           struct lookalike *lookalike)
{
    *lookalike = (struct lookalike){ .non_disk = NULL };
    for (size_t i = 0; i < format_count; i++) {
        if (magic_matches(&formats[i].lookalike_start, start, len)) {
            lookalike->format = formats[i].name;
            return;
        }
    }
    lookalike->non_disk = non_disk_find(start, len);
}

/* By the first bytes of END_SIZE that may be the header at the end. */
static void find_by_end(const unsigned char *end, struct lookalike *lookalike)
{
    for (size_t i = 0; !lookalike->format && i < format_count; i++) {
        if (magic_matches(&formats[i].lookalike_end, end, END_SIZE))
            *lookalike = (struct lookalike){ .format = formats[i].name };
    }
}

void probe_lookalike_end(const void *end, uint64_t size,
                         struct lookalike *lookalike)
{
    unsigned char last[END_SIZE] = { 0 };
    size_t rest = size % END_SIZE;

    if (size < END_SIZE || lookalike_found(lookalike))
        return;
    find_by_end(end, lookalike);
    memcpy(last, (const unsigned char *)end + END_SIZE - rest, rest);
    find_by_end(last, lookalike);
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

/* Find a format whose header is in the last bytes. Of a file of one sector
 * these are the first. */
static int find_at_end(struct reader *r, const unsigned char start[START_SIZE],
                       struct lookalike *lookalike, struct error *error)
{
    unsigned char end[END_SIZE];
    int err = 0;

    if (r->size < END_SIZE || lookalike_found(lookalike))
        return 0;
    _Static_assert(END_SIZE == START_SIZE, "a sector");
    if (r->size == END_SIZE)
        memcpy(end, start, END_SIZE);
    else
        err = metadata_read(r, r->size - END_SIZE, end, sizeof(end), error);
    if (!err)
        probe_lookalike_end(end, r->size, lookalike);
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
    found->is_ova = tar_is_ova(start, sizeof(start));
    probe_lookalike_start(start, sizeof(start), &found->lookalike);
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
