/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The walk from an image that QEMU reads to all files that QEMU opens for it.
 * It knows just enough of the formats to find the names. Where QEMU would find
 * none, as in an image that is broken, none are found, or too many: only names
 * that are missed could do harm.
 */
#include "image/recorded.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/bytes.h"
#include "common/path.h"
#include "format/layer.h"
#include "format/probe.h"
#include "format/qcow2-names.h"
#include "format/vmdk-descriptor.h"
#include "image/description.h"
#include "reader/open-disk.h"

/* Files that one image may lead to: more than the descriptors of a process. A
 * descriptor that names itself over and over would have no end. */
#define MAX_FILES 100000

/* How deep they may lie. QEMU opens each from within the one before. */
#define MAX_DEPTH 200

/* QEMU takes no longer name of a backing file; in most formats it may have
 * 1,023 bytes. */
#define MAX_NAME (PATH_MAX - 1)

struct walk {
    const struct image_options *options;
    bool *foreign;
    unsigned files;
    unsigned depth;
};

int recorded_refuse(const char *image, const char *what, const char *name,
                    struct error *error)
{
    return error_set(error, EPERM,
                     "%s: its %s '%s' is not a plain file; --trust-names "
                     "follows such a name",
                     image, what, name);
}

int recorded_no_place(const char *image, const char *what, const char *name,
                      struct error *error)
{
    return error_set(error, EINVAL,
                     "%s: cannot open its %s '%s': a relative name, and the "
                     "image is in no directory",
                     image, what, name);
}

int recorded_check_format(const char *image, const char *what,
                          const char *format, struct error *error)
{
    if (!format || is_image_format(format))
        return 0;
    return error_set(error, ENOTSUP,
                     "%s: the format that it records for its %s, '%s', is not "
                     "one of images",
                     image, what, format);
}

int recorded_path(const char *base, const char *name, char **path)
{
    const char *slash = base ? strrchr(base, '/') : NULL;

    if (*name == '/' || !slash)
        *path = strdup(name);
    else if (asprintf(path, "%.*s%s", (int)(slash + 1 - base), base, name) < 0)
        *path = NULL;
    return *path ? 0 : ENOMEM;
}

static int out_of_memory(const struct reader *r, struct error *error)
{
    return error_no_memory(error, r->name);
}

static int check_image(struct walk *w, struct reader *r, const char *path,
                       const char *format, struct error *error);

/* --- a name ------------------------------------------------------------- */

/* What stands in the image is no plain file. */
static int refuse(struct walk *w, const struct reader *r, const char *what,
                  const char *name, struct error *error)
{
    if (!w->options->trust_names)
        return recorded_refuse(r->name, what, name, error);
    *w->foreign = true;
    return 0;
}

/* A file that is missing is for QEMU to report. */
static int check_type(const struct reader *r, const char *what,
                      const char *path, struct error *error)
{
    struct stat st;

    if (stat(path, &st) != 0 || may_be_disk(st.st_mode))
        return 0;
    return error_set(error, EPERM,
                     "%s: its %s '%s' is not a regular file or block device",
                     r->name, what, path);
}

/* Where a name leads to, in *path; NULL: nowhere that this host may go without
 * being told to. "file:" is QEMU's word for a name that begins where the
 * process stands. */
static int find(struct walk *w, const struct reader *r, const char *base,
                const char *what, const char *name, char **path,
                struct error *error)
{
    const char *plain = path_of_name(name);
    bool relative = plain == name && *name != '/';
    int err;

    *path = NULL;
    if (relative && !base)
        return recorded_no_place(r->name, what, name, error);
    if (!plain || (relative && !path_of_name(base)))
        return refuse(w, r, what, name, error);
    if (recorded_path(relative ? base : NULL, plain, path))
        return out_of_memory(r, error);
    err = check_type(r, what, *path, error);
    if (err) {
        free(*path);
        *path = NULL;
    }
    return err;
}

/* Look at the image that a name led to. base: where the names in it start. */
static int check_next(struct walk *w, const struct reader *r, const char *path,
                      const char *base, const char *format, struct error *error)
{
    struct error cause = ERROR_INIT;
    struct reader *next;

    if (++w->files > MAX_FILES || w->depth == MAX_DEPTH)
        return error_set(error, ELOOP, "%s: it leads to too many other files",
                         r->name);
    if (file_open(path, path, &w->options->files, &next, &cause) == 0) {
        w->depth++;
        (void)check_image(w, next, base, format, &cause);
        w->depth--;
        next->ops->close(next);
    } else if (cause.code == ENOENT) {
        /* QEMU may find it: /proc/self has other files there, the image itself
         * among them. */
        error_set(error, cause.code, "%s: cannot open a file that it names: %s",
                  r->name, error_message(&cause));
    }
    error_move(error, &cause);
    return error->code;
}

/* Follow a name to the image that it names. format: NULL when QEMU probes. */
static int follow(struct walk *w, const struct reader *r, const char *base,
                  const char *what, const char *name, const char *format,
                  struct error *error)
{
    char *path = NULL;
    int err = recorded_check_format(r->name, what, format, error);

    if (!err)
        err = find(w, r, base, what, name, &path, error);
    if (!err && path)
        err = check_next(w, r, path, path, format, error);
    free(path);
    return err;
}

/* --- formats ------------------------------------------------------------ */

static int check_backing(struct walk *w, struct reader *r, const char *base,
                         uint64_t offset, uint32_t length, const char *format,
                         struct error *error)
{
    char name[MAX_NAME + 1] = { 0 };
    int err;

    if (length > MAX_NAME)
        return 0;
    err = metadata_read(r, offset, name, length, error);
    if (err || !*name)
        return err;
    return follow(w, r, base, "backing file", name, format, error);
}

/* The header of version 1; its numbers are big-endian. */
static int check_qcow(struct walk *w, struct reader *r, const char *base,
                      struct error *error)
{
    unsigned char h[20];
    int err = metadata_read(r, 0, h, sizeof(h), error);

    if (err || memcmp(h, "QFI\xfb", 4) != 0 || get_be64(h + 8) == 0)
        return err;
    return check_backing(w, r, base, get_be64(h + 8), get_be32(h + 16), NULL,
                         error);
}

/* QEMU's docs/interop/qed_spec.txt; its numbers are little-endian. */
#define QED_HEADER_SIZE 64
#define QED_BACKING_FILE 0x01
#define QED_BACKING_IS_RAW 0x04

static int check_qed(struct walk *w, struct reader *r, const char *base,
                     struct error *error)
{
    unsigned char h[QED_HEADER_SIZE];
    int err = metadata_read(r, 0, h, sizeof(h), error);
    uint64_t features;

    if (err)
        return err;
    features = get_le64(h + 16);
    if (memcmp(h, "QED", 4) != 0 || !(features & QED_BACKING_FILE))
        return 0;
    return check_backing(w, r, base, get_le32(h + 56), get_le32(h + 60),
                         features & QED_BACKING_IS_RAW ? "raw" : NULL, error);
}

/* Not by our own reader, which refuses what QEMU reads with a key. */
static int check_qcow2(struct walk *w, struct reader *r, const char *base,
                       struct error *error)
{
    struct qcow2_names names;
    int err = qcow2_find_names(r, &names, error);

    if (!err && *names.backing)
        err =
            follow(w, r, base, "backing file", names.backing,
                   *names.backing_format ? names.backing_format : NULL, error);
    /* QEMU takes it for a path, whatever it begins with; but without the fix of
     * CVE-2024-4467 it takes json: for what that is. */
    if (!err && *names.data_file && !path_of_name(names.data_file))
        err = refuse(w, r, "data file", names.data_file, error);
    else if (!err && *names.data_file)
        err = check_type(r, "data file", names.data_file, error);
    return err;
}

struct vmdk_walk {
    struct walk *walk;
    struct reader *reader;
    const char *base;
};

static int check_extent(void *arg, const char *type, const char *name,
                        struct error *error)
{
    struct vmdk_walk *v = arg;
    bool sparse = strcmp(type, "FLAT") != 0 && strcmp(type, "VMFS") != 0;
    char *path = NULL;
    int err;

    /* After the directory of the image QEMU takes "file:" for a part of the
     * name. */
    if (path_of_name(name) != name)
        return refuse(v->walk, v->reader, "extent", name, error);
    err = find(v->walk, v->reader, v->base, "extent", name, &path, error);
    /* One that has a header can have a descriptor of its own, whose names
     * start where those of the image do. */
    if (!err && path && sparse)
        err = check_next(v->walk, v->reader, path, v->base, "vmdk", error);
    free(path);
    return err;
}

static int check_parent(void *arg, const char *name, struct error *error)
{
    struct vmdk_walk *v = arg;

    return follow(v->walk, v->reader, v->base, "parent", name, "vmdk", error);
}

static int check_vmdk(struct walk *w, struct reader *r, const char *base,
                      struct error *error)
{
    struct vmdk_walk v = { .walk = w, .reader = r, .base = base };
    const struct vmdk_names names = {
        .extent = check_extent,
        .parent = check_parent,
        .arg = &v,
    };

    return vmdk_descriptor_names(r, &names, error);
}

typedef int check_names(struct walk *w, struct reader *r, const char *base,
                        struct error *error);

/* NULL: there are no names in the format. */
static check_names *find_check(const char *format)
{
    static const struct {
        const char *format;
        check_names *check;
    } checks[] = { { "qcow", check_qcow },
                   { "qcow2", check_qcow2 },
                   { "qed", check_qed },
                   { "vmdk", check_vmdk },
                   { NULL, NULL } };

    for (size_t i = 0; checks[i].format; i++) {
        if (strcmp(format, checks[i].format) == 0)
            return checks[i].check;
    }
    return NULL;
}

static int check_image(struct walk *w, struct reader *r, const char *path,
                       const char *format, struct error *error)
{
    check_names *check;

    if (!format) {
        const char *hidden;
        int err = probe_format(r, path, &format, &hidden, error);

        if (err)
            return err;
    }
    check = find_check(format);
    return check ? check(w, r, path, error) : 0;
}

bool recorded_has_names(const char *format)
{
    return find_check(format) != NULL;
}

int recorded_check(struct reader *reader, const char *path, const char *format,
                   const struct image_options *options, bool *foreign,
                   struct error *error)
{
    struct walk w = { .options = options, .foreign = foreign };

    *foreign = false;
    return check_image(&w, reader, path, format, error);
}

/* --- descriptions ------------------------------------------------------- */

static int check_file(struct walk *w, const char *path, const char *format,
                      struct error *error)
{
    struct error cause = ERROR_INIT;
    struct reader *r;

    /* With a protocol it is the user's own word. */
    path = path_of_name(path);
    if (!path)
        return 0;
    if (file_open(path, path, &w->options->files, &r, &cause) == 0) {
        (void)check_image(w, r, path, format, &cause);
        r->ops->close(r);
    } else if (cause.code == ENOENT) {
        error_clear(&cause);
    }
    error_move(error, &cause);
    return error->code;
}

/* Which format is whose is not known. QEMU probes where none is said. */
static int check_described(struct walk *w, const struct description *d,
                           const char *path, struct error *error)
{
    int err = 0;

    for (size_t i = 0; !err && i < d->format_count; i++)
        err = check_file(w, path, d->formats[i], error);
    if (!err && d->format_count < d->file_count)
        err = check_file(w, path, NULL, error);
    return err;
}

int recorded_check_description(const char *text, bool is_json,
                               const struct image_options *options,
                               bool *foreign, struct error *error)
{
    struct walk w = { .options = options, .foreign = foreign };
    struct description d;
    int err = description_read(text, is_json, &d);

    *foreign = false;
    if (err)
        err = error_no_memory(error, text);
    for (size_t i = 0; !err && i < d.file_count; i++)
        err = check_described(&w, &d, d.files[i], error);
    description_free(&d);
    return err;
}
