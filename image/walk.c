/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/walk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/path.h"
#include "format/format.h"
#include "format/probe.h"
#include "image/description.h"
#include "image/recorded.h"
#include "image/visited.h"
#include "reader/open-disk.h"

/* How many names of files are followed: more than a process has descriptors. */
#define MAX_FILES 100000

/* How long a chain of names may be. QEMU opens it by recursion. */
#define MAX_DEPTH 200

struct walk {
    const struct image_options *options;
    bool *foreign;
    struct walked *walked; /* of the image where it begins; or NULL */
    struct visited visited;
    unsigned files;
    unsigned depth;
};

/* An image on the way, whose names are looked at. */
struct step {
    struct walk *walk;
    const struct reader *reader;
    const char *base; /* the path from which relative names start; or NULL */
};

static int check_image(struct walk *w, struct reader *r, const char *path,
                       const char *format, struct error *error);

/* --- a name ------------------------------------------------------------- */

/* The name is not that of a plain file. */
static int refuse(struct step *s, const struct recorded_name *n,
                  struct error *error)
{
    if (!s->walk->options->trust_names)
        return recorded_refuse(s->reader->name, n->what, n->name, error);
    *s->walk->foreign = true;
    return 0;
}

/* A file that is missing here may be there for QEMU: /proc/self has other files
 * for it. */
static int check_type(struct step *s, const struct recorded_name *n,
                      const char *path, struct error *error)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return error_set(error, errno, "%s: cannot open its %s '%s': %s",
                         s->reader->name, n->what, path, strerror(errno));
    if (may_be_disk(st.st_mode))
        return recorded_check_path(s->reader->name, n->what, path, error);
    return error_set(error, EPERM,
                     "%s: its %s '%s' is not a regular file or block device",
                     s->reader->name, n->what, path);
}

/* Find the path that a name stands for. *path is NULL if the name is not that
 * of a plain file, and is trusted. QEMU takes a name after "file:" from the
 * current directory. */
static int find(struct step *s, const struct recorded_name *n, char **path,
                struct error *error)
{
    const char *plain = path_of_name(n->name);
    bool relative = plain == n->name && *plain != '/';
    int err;

    *path = NULL;
    if (relative && !s->base)
        return recorded_no_place(s->reader->name, n->what, n->name, error);
    if (!plain || (relative && !path_of_name(s->base)))
        return refuse(s, n, error);
    if (recorded_path(relative ? s->base : NULL, plain, path))
        return error_no_memory(error, s->reader->name);
    err = check_type(s, n, *path, error);
    if (err) {
        free(*path);
        *path = NULL;
    }
    return err;
}

/* Check the names in another file, which start from base. What cannot be opened
 * is left to QEMU to report, unless it is missing: QEMU may find it, because
 * /proc/self has other files there, the image itself among them. */
static int check_next(struct step *s, const char *path, const char *base,
                      const char *format, struct error *error)
{
    struct walk *w = s->walk;
    struct error cause = ERROR_INIT;
    struct reader *next;

    if (++w->files > MAX_FILES || w->depth == MAX_DEPTH)
        return error_set(error, ELOOP, "%s: refers to too many other files",
                         s->reader->name);
    if (file_open(path, path, &w->options->files, &next, &cause) == 0) {
        w->depth++;
        (void)check_image(w, next, base, format, &cause);
        w->depth--;
        next->ops->close(next);
    } else if (cause.code == ENOENT) {
        error_set(error, cause.code, "%s: cannot open a file that it names: %s",
                  s->reader->name, error_message(&cause));
    }
    error_move(error, &cause);
    return error->code;
}

/* --- the kinds of names ------------------------------------------------- */

/* Keep the name of a backing file, if it is that of the image where the walk
 * begins. */
static bool note_backing(struct walk *w, const struct recorded_name *n,
                         char *path)
{
    if (!w->walked || w->depth > 0)
        return false;
    free(w->walked->backing);
    w->walked->backing = path;
    w->walked->backing_format = n->format ? format_find(n->format)->name : NULL;
    return true;
}

static int visit_image(struct step *s, const struct recorded_name *n,
                       struct error *error)
{
    char *path = NULL;
    int err = recorded_check_format(s->reader->name, n->what, n->format, error);

    if (!err)
        err = find(s, n, &path, error);
    if (!err && path)
        err = check_next(s, path, path, n->format, error);
    if (err || !note_backing(s->walk, n, path))
        free(path);
    return err;
}

static int visit_extent(struct step *s, const struct recorded_name *n,
                        struct error *error)
{
    char *path = NULL;
    int err;

    /* After the directory of the image, QEMU takes "file:" for a part of the
     * name. */
    if (path_of_name(n->name) != n->name)
        return refuse(s, n, error);
    err = find(s, n, &path, error);
    if (!err && path && strcmp(n->format, "raw") != 0)
        err = check_next(s, path, s->base, n->format, error);
    free(path);
    return err;
}

/* QEMU takes the name for a path, whatever it begins with. Without the fix of
 * CVE-2024-4467, however, it takes json: for what that is. */
static int visit_data(struct step *s, const struct recorded_name *n,
                      struct error *error)
{
    if (!path_of_name(n->name))
        return refuse(s, n, error);
    return check_type(s, n, n->name, error);
}

static int visit(void *arg, const struct recorded_name *n, struct error *error)
{
    struct step *s = arg;

    switch (n->kind) {
    case NAME_IMAGE:
        return visit_image(s, n, error);
    case NAME_EXTENT:
        return visit_extent(s, n, error);
    case NAME_DATA:
        break;
    }
    return visit_data(s, n, error);
}

/* --- images ------------------------------------------------------------- */

static int check_image(struct walk *w, struct reader *r, const char *path,
                       const char *name, struct error *error)
{
    struct step step = { .walk = w, .reader = r, .base = path };
    const struct name_visitor visitor = { .visit = visit, .arg = &step };
    const struct format *format;
    bool *done;
    int err;

    if (!name) {
        struct probe found;

        err = probe_format(r, path, &found, error);
        if (!err)
            err = probe_check(&found, r->name, error);
        if (err)
            return err;
        name = found.format;
    }
    format = format_find(name);
    if (!format || !format->names)
        return 0;
    err = visited_enter(&w->visited, r, path, format->name, &done, error);
    if (err || !done)
        return err;
    err = format->names(r, &visitor, error);
    *done = true;
    return err;
}

int walk_image(struct reader *reader, const char *path, const char *format,
               const struct image_options *options, struct walked *walked,
               struct error *error)
{
    struct walk w = {
        .options = options,
        .foreign = &walked->foreign,
        .walked = walked,
    };
    int err;

    *walked = (struct walked){ .foreign = false };
    err = check_image(&w, reader, path, format, error);
    visited_free(&w.visited);
    return err;
}

/* --- descriptions ------------------------------------------------------- */

/* QEMU takes the name of a file for a path, whatever it begins with, but not
 * where it looks for the directory of the image. */
static int check_file(struct walk *w, const char *path, const char *format,
                      struct error *error)
{
    const char *base = path_of_name(path);
    struct error cause = ERROR_INIT;
    struct reader *r;

    if (file_open(path, path, &w->options->files, &r, &cause) == 0) {
        (void)check_image(w, r, base ? base : path, format, &cause);
        r->ops->close(r);
    } else if (cause.code == ENOENT) {
        error_clear(&cause);
    }
    error_move(error, &cause);
    return error->code;
}

/* Any of the formats may be that of the file. */
static int check_described(struct walk *w, const struct description *d,
                           const struct described_file *file,
                           struct error *error)
{
    int err = 0;

    for (size_t i = 0; !err && i < d->format_count; i++)
        err = check_file(w, file->path, d->formats[i], error);
    if (!err && !description_has_format(d, file))
        err = check_file(w, file->path, NULL, error);
    return err;
}

int walk_description(const struct description *d,
                     const struct image_options *options, bool *foreign,
                     struct error *error)
{
    struct walk w = { .options = options, .foreign = foreign };
    int err = 0;

    *foreign = false;
    for (size_t i = 0; !err && i < d->file_count; i++)
        err = check_described(&w, d, &d->files[i], error);
    visited_free(&w.visited);
    return err;
}
