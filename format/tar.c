/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The walk over a tar archive, from header to header.
 */
#include "format/tar.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "format/layer.h"
#include "format/lookalike.h"
#include "format/tar-header.h"

/* More than any name, and any header of pax, has. */
#define MAX_EXTENDED (1 << 20)

/* A header for all members costs time for each of them. */
#define MAX_GLOBAL (1 << 16)

/* So much is read at once: the members of an appliance before its disks, and
 * the headers of many small members, are close to each other. */
#define BUFFER_SIZE (16 * 1024)

struct tar {
    struct reader *reader;
    uint64_t at;         /* of the next header */
    struct tar_pax next; /* what was said of the next member, */
    struct tar_pax all;  /* and of all that follow */
    char *long_name;     /* of the next member; or NULL */
    char *name;          /* of the last one */
    uint64_t buffer_at;
    size_t buffer_len;
    unsigned char buffer[BUFFER_SIZE];
};

static int broken(const struct tar *t, struct error *error, const char *format,
                  ...) __attribute__((format(printf, 3, 4)));

static int broken(const struct tar *t, struct error *error, const char *format,
                  ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return error_set(error, EINVAL, "%s: broken tar archive: %s",
                     t->reader->name, text);
}

int tar_open(struct reader *reader, struct tar **tar, struct error *error)
{
    struct tar *t = calloc(1, sizeof(*t));

    if (!t)
        return error_no_memory(error, reader->name);
    t->reader = reader;
    *tar = t;
    return 0;
}

void tar_close(struct tar *t)
{
    if (!t)
        return;
    tar_pax_clear(&t->next);
    tar_pax_clear(&t->all);
    free(t->long_name);
    free(t->name);
    free(t);
}

/* --- headers ------------------------------------------------------------ */

/* Get bytes through the buffer. Beyond the end of the archive, they are zeros.
 * NULL: an error. One in the bytes behind them, of some member, is none. */
static const unsigned char *look(struct tar *t, uint64_t at, size_t len,
                                 struct error *error)
{
    assert(len <= BUFFER_SIZE);
    if (at < t->buffer_at ||
        sum_exceeds(at - t->buffer_at, len, t->buffer_len)) {
        struct error cause = ERROR_INIT;

        t->buffer_at = at;
        t->buffer_len = BUFFER_SIZE;
        if (metadata_read(t->reader, at, t->buffer, BUFFER_SIZE, &cause)) {
            error_clear(&cause);
            t->buffer_len = len;
            if (metadata_read(t->reader, at, t->buffer, len, error)) {
                t->buffer_len = 0;
                return NULL;
            }
        }
    }
    return t->buffer + (at - t->buffer_at);
}

int tar_read_start(struct tar *t, const struct tar_member *member, void *buf,
                   size_t len, struct error *error)
{
    const unsigned char *bytes = look(t, member->offset, len, error);

    if (!bytes)
        return error->code;
    memset(buf, 0, len);
    memcpy(buf, bytes, member->size < len ? member->size : len);
    return 0;
}

/* Not an archive, or one that is compressed as a whole. */
static int refuse(const struct tar *t, const unsigned char *start,
                  struct error *error)
{
    const struct non_disk *is = non_disk_find(start, TAR_HEADER_SIZE);

    return error_set(error, EINVAL, "%s: is not a tar archive%s%s%s%s",
                     t->reader->name, is ? "; it looks like " : "",
                     is ? is->what : "", is ? ": " : "", is ? is->advice : "");
}

/* Get the next header. NULL: the archive ends, with zeros or without. */
static int next_header(struct tar *t, const unsigned char **header,
                       struct error *error)
{
    *header = NULL;
    if (t->at >= t->reader->size)
        return 0;
    *header = look(t, t->at, TAR_HEADER_SIZE, error);
    if (!*header)
        return error->code;
    if (bytes_are_zero(*header, TAR_HEADER_SIZE)) {
        *header = NULL;
        return 0;
    }
    if (tar_checksum_is_right(*header))
        return 0;
    if (t->at == 0)
        return refuse(t, *header, error);
    return broken(t, error, "the header at offset %" PRIu64 " is wrong", t->at);
}

/* Get the size of what follows a header. */
static int get_size(const struct tar *t, const unsigned char *header,
                    bool use_pax, uint64_t *size, struct error *error)
{
    uint64_t after = t->at + TAR_HEADER_SIZE;

    *size = t->next.size;
    if (!(use_pax && t->next.has_size) && !tar_get_size(header, size))
        return broken(t, error,
                      "the size in the header at offset %" PRIu64 " is wrong",
                      t->at);
    if (!tar_has_bytes(header[TAR_TYPE]))
        *size = 0;
    if (sum_exceeds(after, *size, t->reader->size))
        return broken(t, error,
                      "it ends at %" PRIu64 ", within the member of %" PRIu64
                      " bytes whose header is at offset %" PRIu64,
                      t->reader->size, *size, t->at);
    return 0;
}

static void advance(struct tar *t, uint64_t size)
{
    t->at += TAR_HEADER_SIZE + round_up(size, TAR_HEADER_SIZE);
}

/* --- what says more about the next member ------------------------------- */

/* Read all of an extended header, with a NUL behind it. */
static int read_extended(const struct tar *t, unsigned char type, uint64_t size,
                         char **text, struct error *error)
{
    bool is_global = type == TAR_TYPE_PAX_GLOBAL;
    int err;

    *text = NULL;
    if (size > (is_global ? MAX_GLOBAL : MAX_EXTENDED))
        return broken(t, error,
                      "the %s header at offset %" PRIu64 " has %" PRIu64
                      " bytes",
                      is_global ? "global" : "extended", t->at, size);
    *text = calloc(1, size + 1);
    if (!*text)
        return error_no_memory(error, t->reader->name);
    err = metadata_read(t->reader, t->at + TAR_HEADER_SIZE, *text, size, error);
    if (err) {
        free(*text);
        *text = NULL;
    }
    return err;
}

static int read_pax(struct tar *t, unsigned char type, char *text, size_t size,
                    struct error *error)
{
    bool is_global = type == TAR_TYPE_PAX_GLOBAL;
    int err = tar_pax_read(is_global ? &t->all : &t->next, text, size);

    if (!err && is_global)
        err = tar_pax_copy(&t->next, &t->all);
    if (err == EINVAL)
        return broken(t, error, "the pax header at offset %" PRIu64 " is wrong",
                      t->at);
    return err ? error_no_memory(error, t->reader->name) : 0;
}

static bool is_extended(unsigned char type)
{
    return type == TAR_TYPE_LONG_NAME || type == TAR_TYPE_LONG_LINK ||
           type == TAR_TYPE_PAX || type == TAR_TYPE_PAX_SOLARIS ||
           type == TAR_TYPE_PAX_GLOBAL;
}

static int take_extended(struct tar *t, const unsigned char *header,
                         struct error *error)
{
    unsigned char type = header[TAR_TYPE];
    uint64_t size;
    char *text = NULL;
    int err = get_size(t, header, false, &size, error);

    if (!err && type != TAR_TYPE_LONG_LINK)
        err = read_extended(t, type, size, &text, error);
    if (!err && type == TAR_TYPE_LONG_NAME) {
        free(t->long_name);
        t->long_name = text;
        text = NULL;
    } else if (!err && text) {
        err = read_pax(t, type, text, size, error);
    }
    free(text);
    if (!err)
        advance(t, size);
    return err;
}

/* --- members ------------------------------------------------------------ */

/* Pax comes before GNU, and both before the header, as in tar. */
static int take_name(struct tar *t, const unsigned char *header,
                     struct error *error)
{
    free(t->name);
    if (t->next.path) {
        t->name = t->next.path;
        t->next.path = NULL;
    } else if (t->long_name) {
        t->name = t->long_name;
        t->long_name = NULL;
    } else {
        t->name = tar_get_name(header);
    }
    return t->name ? 0 : error_no_memory(error, t->reader->name);
}

/* Headers with more parts of a sparse member may follow the first. */
static int skip_sparse(struct tar *t, bool more, struct error *error)
{
    while (more) {
        const unsigned char *header;

        t->at += TAR_HEADER_SIZE;
        if (t->at >= t->reader->size)
            return broken(t, error, "it ends within a header");
        header = look(t, t->at, TAR_HEADER_SIZE, error);
        if (!header)
            return error->code;
        more = header[TAR_SPARSE_NEXT_MORE];
    }
    return 0;
}

static int take_member(struct tar *t, const unsigned char *header,
                       struct tar_member *member, struct error *error)
{
    unsigned char type = header[TAR_TYPE];
    bool is_sparse = type == TAR_TYPE_SPARSE;
    uint64_t size;
    int err = get_size(t, header, true, &size, error);

    if (!err)
        err = take_name(t, header, error);
    if (!err && is_sparse)
        err = skip_sparse(t, header[TAR_SPARSE_MORE], error);
    if (!err && is_sparse &&
        sum_exceeds(t->at + TAR_HEADER_SIZE, size, t->reader->size))
        err = broken(t, error, "it ends within a sparse member");
    if (err)
        return err;

    *member = (struct tar_member){
        .name = t->name,
        .offset = t->at + TAR_HEADER_SIZE,
        .size = size,
        .unreadable = t->next.is_sparse ? tar_type_unreadable(TAR_TYPE_SPARSE)
                                        : tar_type_unreadable(type),
    };
    advance(t, size);
    free(t->long_name);
    t->long_name = NULL;
    err = tar_pax_copy(&t->next, &t->all);
    return err ? error_no_memory(error, t->reader->name) : 0;
}

int tar_next(struct tar *t, struct tar_member *member, struct error *error)
{
    const unsigned char *header;
    int err;

    *member = (struct tar_member){ .name = NULL };
    while ((err = next_header(t, &header, error)) == 0 && header) {
        if (!is_extended(header[TAR_TYPE]))
            return take_member(t, header, member, error);
        err = take_extended(t, header, error);
        if (err)
            return err;
    }
    return err;
}
