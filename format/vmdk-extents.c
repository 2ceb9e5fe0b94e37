/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The extents that a descriptor of a VMDK image names. All of them are part of
 * the disk, as to VMware. QEMU leaves out those that are not RW, and those of
 * zeros.
 */
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
#include "common/bytes.h"
#include "format/vmdk.h"

/* VMware's largest disk, of 62 TiB, has 31,760 extents of slightly less than 2
 * GiB. At some 120 bytes each, the table has 8 MiB. */
#define MAX_EXTENTS 65536

/* A file with extents. Many extents may be in one. */
struct file {
    char *name;
    struct reader *reader;
};

struct opening {
    struct vmdk *v;
    const struct layer_options *options;
    void *files; /* a tree of struct file */
};

static int set_line_error(const struct vmdk *v, const struct vmdk_line *line,
                          int code, const char *reason, struct error *error)
{
    return error_set(error, code, "%s: %s: '%.*s'", v->layer->reader->name,
                     reason, vmdk_line_length(line), line->text);
}

/* --- files -------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const struct file *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static void free_file(void *p)
{
    struct file *file = p;

    free(file->name);
    free(file);
}

static struct file *file_new(const char *name)
{
    struct file *file = calloc(1, sizeof(*file));

    if (file)
        file->name = strdup(name);
    if (file && file->name)
        return file;
    free(file);
    return NULL;
}

/* Open the file of an extent, once for all that are in it. */
static int get_file(struct opening *o, const char *name, struct reader **reader,
                    struct error *error)
{
    const struct recorded_name recorded = {
        .kind = NAME_EXTENT,
        .what = "extent",
        .name = name,
    };
    struct layer *layer = o->v->layer;
    struct file *file = file_new(name);
    struct file **found = file ? tsearch(file, &o->files, compare) : NULL;
    int err = 0;

    if (!found) {
        if (file)
            free_file(file);
        return error_no_memory(error, layer->reader->name);
    }
    if (*found != file) {
        *reader = (*found)->reader;
        free_file(file);
        return 0;
    }
    err = layer_open_file(layer, o->options, &recorded, &file->reader, error);
    *reader = file->reader;
    return err;
}

/* --- kinds of extents --------------------------------------------------- */

static int add_zeros(struct opening *o, const struct vmdk_line *line,
                     struct error *error)
{
    const struct vmdk_extent e = { .kind = VMDK_ZERO };

    return vmdk_add_extent(o->v, &e, line->sectors, error);
}

static int add_flat(struct opening *o, const struct vmdk_line *line,
                    struct error *error)
{
    struct vmdk_extent e = { .kind = VMDK_FLAT };
    int err;

    if (strcmp(line->type, "VMFS") == 0 ? line->fields != 4
                                        : line->fields != 5 || line->offset < 0)
        return set_line_error(o->v, line, EINVAL,
                              "broken VMDK image: the offset of an extent",
                              error);
    if (sum_exceeds(line->offset, line->sectors, VMDK_MAX_SECTORS))
        return set_line_error(o->v, line, EFBIG,
                              "broken VMDK image: an extent is too far away",
                              error);
    err = get_file(o, line->name, &e.reader, error);
    if (err)
        return err;
    e.offset = line->offset * SECTOR_SIZE;
    return vmdk_add_extent(o->v, &e, line->sectors, error);
}

/* The file says what it is, and how large. What the line says does not matter
 * to QEMU. */
static int add_grains(struct opening *o, const struct vmdk_line *line,
                      struct error *error)
{
    unsigned char h[VMDK_HEADER_SIZE];
    struct vmdk_header header;
    struct reader *r;
    int err;

    if (line->fields != 4)
        return set_line_error(o->v, line, EINVAL,
                              "broken VMDK image: an offset of a sparse extent",
                              error);
    err = get_file(o, line->name, &r, error);
    if (err)
        return err;
    if (strcmp(line->type, "SESPARSE") == 0)
        return vmdk_open_sesparse(o->v, r, error);
    err = metadata_read(r, 0, h, sizeof(h), error);
    if (err)
        return err;
    if (memcmp(h, "COWD", 4) == 0)
        return vmdk_open_cowd(o->v, r, error);
    if (memcmp(h, "KDMV", 4) != 0)
        return error_set(error, EINVAL,
                         "%s: broken VMDK image: its extent '%s' is not sparse",
                         o->v->layer->reader->name, r->name);
    vmdk_parse_header(h, &header);
    if (vmdk_is_descriptor(&header))
        return error_set(error, ENOTSUP,
                         "%s: its extent '%s' is another descriptor, which is "
                         "not supported",
                         o->v->layer->reader->name, r->name);
    return vmdk_open_sparse(o->v, r, &header, error);
}

/* --- lines -------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*add)(struct opening *o, const struct vmdk_line *line,
               struct error *error);
} types[] = {
    { "FLAT", add_flat },       { "VMFS", add_flat },
    { "SPARSE", add_grains },   { "VMFSSPARSE", add_grains },
    { "SESPARSE", add_grains }, { "ZERO", add_zeros },
};

/* Only an extent of zeros needs no file. */
static bool is_complete(const struct vmdk_line *line)
{
    return line->fields >= 4 ||
           (line->fields == 3 && strcmp(line->type, "ZERO") == 0);
}

static int check_line(const struct vmdk *v, const struct vmdk_line *line,
                      struct error *error)
{
    if (strcmp(line->access, "NOACCESS") == 0)
        return set_line_error(v, line, EACCES,
                              "the VMDK image has an extent that must not be "
                              "read",
                              error);
    if (!is_complete(line))
        return set_line_error(
            v, line, EINVAL, "broken VMDK image: the line of an extent", error);
    if (line->sectors <= 0 || (uint64_t)line->sectors > VMDK_MAX_SECTORS)
        return set_line_error(
            v, line, EINVAL, "broken VMDK image: the size of an extent", error);
    if (sum_exceeds(v->extent_count, line->repeats, MAX_EXTENTS))
        return error_set(error, EFBIG,
                         "%s: the VMDK image has more than %d extents",
                         v->layer->reader->name, MAX_EXTENTS);
    return 0;
}

static int add_line(struct opening *o, const struct vmdk_line *line,
                    struct error *error)
{
    int err = check_line(o->v, line, error);

    if (err)
        return err;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (strcmp(line->type, types[i].name) != 0)
            continue;
        for (unsigned n = 0; !err && n < line->repeats; n++)
            err = types[i].add(o, line, error);
        return err;
    }
    return set_line_error(o->v, line, ENOTSUP,
                          "the type of an extent of this VMDK image is not "
                          "supported",
                          error);
}

/* To QEMU, an empty line before an extent is one more of them. */
static void warn_repeats(struct reader *r, const struct vmdk_line *line)
{
    if (line->repeats > 1 && !r->warning)
        r->warning = "an extent counts twice, since there is an empty line "
                     "before it; QEMU reads it so, VMware does not";
}

int vmdk_open_extents(struct vmdk *v, const char *text,
                      const struct layer_options *options, struct error *error)
{
    struct opening o = { .v = v, .options = options };
    struct vmdk_lines lines = { .reader = v->layer->reader, .next = text };
    struct vmdk_line line;
    bool found;
    int err;

    do {
        err = vmdk_next_line(&lines, &line, &found, error);
        if (!err && found) {
            warn_repeats(v->layer->reader, &line);
            err = add_line(&o, &line, error);
        }
    } while (!err && found);
    tdestroy(o.files, free_file);
    if (!err && v->extent_count == 0)
        err = error_set(error, EINVAL, "%s: this VMDK image has no extents",
                        v->layer->reader->name);
    return err;
}

int vmdk_check_embedded(const struct vmdk *v, const char *text,
                        struct error *error)
{
    struct vmdk_lines lines = { .reader = v->layer->reader, .next = text };
    struct vmdk_line line;
    unsigned count = 0;
    bool found;
    int err;

    do {
        err = vmdk_next_line(&lines, &line, &found, error);
        if (!err && found && strcmp(line.access, "NOACCESS") == 0)
            err = set_line_error(v, &line, EACCES,
                                 "the VMDK image has an extent that must not "
                                 "be read",
                                 error);
        else if (!err && found && ++count > 1)
            err = set_line_error(v, &line, ENOTSUP,
                                 "the VMDK image has an extent beside the one "
                                 "in it, which is not supported",
                                 error);
    } while (!err && found);
    return err;
}
