/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening an image: its format is found, and the files below it are opened one
 * after the other, as QEMU finds them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/units.h"
#include "image/layer.h"
#include "image/probe.h"

/* More than anybody uses; QEMU itself gets into trouble before (it opens a
 * chain by recursion). Each layer costs a descriptor and 128 KiB of tables. */
#define MAX_CHAIN 1000

static const struct {
    const char *name;
    int (*open)(struct layer *layer, const struct layer_options *options,
                struct error *error);
} formats[] = {
    { "raw", raw_open },
    { "qcow2", qcow2_open },
};

static int open_format(struct layer *layer, const char *format,
                       const struct layer_options *options, struct error *error)
{
    const char *name = layer->reader->name;
    const char *wanted = format;

    if (!wanted) {
        int err = probe_format(layer->reader, &wanted, error);

        if (err)
            return err;
    }
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        if (strcmp(wanted, formats[i].name) == 0)
            return formats[i].open(layer, options, error);
    }
    if (!format)
        return probe_refuse(wanted, name, error);
    return error_set(error, ENOTSUP, "%s: format '%s' is not supported", name,
                     format);
}

static void layer_close(struct layer *layer)
{
    if (layer->ops)
        layer->ops->close(layer);
    if (layer->data_file)
        layer->data_file->ops->close(layer->data_file);
    layer->reader->ops->close(layer->reader);
    free(layer->backing_name);
    free(layer->backing_format);
    free(layer);
}

/* The reader is closed on an error. */
static int layer_open(struct reader *reader, const char *format,
                      const struct layer_options *options, struct layer **layer,
                      struct error *error)
{
    struct layer *l = calloc(1, sizeof(*l));
    int err;

    if (!l) {
        err = error_set(error, ENOMEM, "%s: out of memory", reader->name);
        reader->ops->close(reader);
        return err;
    }
    l->reader = reader;
    err = open_format(l, format, options, error);
    if (err) {
        layer_close(l);
        return err;
    }
    *layer = l;
    return 0;
}

/* --- backing files ------------------------------------------------------ */

/* The path of a backing file: relative to the folder of the name under which
 * the image that names it was opened. NULL when out of memory. */
static char *backing_path(const char *base_path, const char *name)
{
    const char *path = path_of_name(name);
    const char *slash = strrchr(base_path, '/');
    char *combined;

    /* After "file:" QEMU takes the current folder. */
    if (path != name || *path == '/' || !slash)
        return strdup(path);
    if (asprintf(&combined, "%.*s%s", (int)(slash + 1 - base_path), base_path,
                 path) < 0)
        return NULL;
    return combined;
}

/* What a guest writes into a raw disk can make it look like an image that names
 * other files. */
static int warn_probed(struct image *image, const struct layer *layer,
                       struct error *error)
{
    return image_warn(image, error,
                      "%s: warning: no format is recorded for its backing file "
                      "'%s'; it is read as %s",
                      layer->reader->name, layer->backing_name,
                      layer->backing->ops->format);
}

/* A file may be its own raw backing file, which ends the chain. */
static int check_loop(const struct image *image, const struct layer *last,
                      struct error *error)
{
    if (!last->backing_name)
        return 0;
    for (const struct layer *l = image->top; l != last; l = l->backing) {
        if (reader_same_object(l->reader, last->reader))
            return error_set(error, ELOOP,
                             "%s: the backing chain loops: it comes back as "
                             "'%s'",
                             image->name, last->reader->name);
    }
    return 0;
}

/* Open the file below a layer. *path is the layer's path and becomes that of
 * the file. */
static int open_backing(struct image *image, struct layer *layer, char **path,
                        const struct layer_options *options,
                        struct error *error)
{
    const char *format = layer->backing_format;
    struct error cause = ERROR_INIT;
    struct reader *reader;
    char *below;
    int err;

    if (!path_of_name(layer->backing_name))
        return error_set(error, ENOTSUP,
                         "%s: its backing file '%s' is no file; only files are "
                         "supported there",
                         layer->reader->name, layer->backing_name);
    below = backing_path(*path, layer->backing_name);
    if (!below)
        return error_set(error, ENOMEM, "%s: out of memory", image->name);
    free(*path);
    *path = below;

    err = file_open(below, below, &options->files, &reader, &cause);
    if (err) {
        error_set(error, err, "%s: can not open its backing file: %s",
                  layer->reader->name, error_message(&cause));
        error_clear(&cause);
        return err;
    }
    err = layer_open(reader, format, options, &layer->backing, error);
    if (!err)
        err = check_loop(image, layer->backing, error);
    if (!err && !format)
        err = warn_probed(image, layer, error);
    return err;
}

static struct file_options file_options(const struct image_options *options)
{
    return (struct file_options){
        .cache = options->cache,
        .force_share = options->force_share,
    };
}

static int open_chain(struct image *image, const char *base_path,
                      const struct image_options *image_options,
                      struct error *error)
{
    const struct layer_options options = {
        .files = file_options(image_options),
    };
    char *path;
    unsigned depth = 1;
    int err = 0;

    if (image->top->backing_name && image_options->standalone)
        return error_set(error, EPERM,
                         "%s: refers to another file, its backing file '%s'",
                         image->name, image->top->backing_name);
    path = strdup(base_path);
    if (!path)
        return error_set(error, ENOMEM, "%s: out of memory", image->name);
    for (struct layer *l = image->top; !err && l->backing_name;
         l = l->backing) {
        if (++depth > MAX_CHAIN)
            err = error_set(error, ELOOP,
                            "%s: the backing chain is longer than %d images",
                            image->name, MAX_CHAIN);
        else
            err = open_backing(image, l, &path, &options, error);
        if (err)
            break;
    }
    free(path);
    return err;
}

/* --- images ------------------------------------------------------------- */

int image_open_reader(struct reader *reader, const char *base_path,
                      const struct image_options *options, struct image **image,
                      struct error *error)
{
    const struct layer_options layer_options = {
        .snapshot = options->snapshot,
        .files = file_options(options),
        .standalone = options->standalone,
    };
    struct image *i = calloc(1, sizeof(*i));
    int err;

    if (!i) {
        err = error_set(error, ENOMEM, "%s: out of memory", reader->name);
        reader->ops->close(reader);
        return err;
    }
    err = layer_open(reader, options->format, &layer_options, &i->top, error);
    if (!err) {
        i->name = i->top->reader->name;
        err = open_chain(i, base_path, options, error);
    }
    if (err) {
        image_close(i);
        return err;
    }

    i->format = i->top->ops->format;
    i->size = i->top->size;
    i->force_share = options->force_share;
    i->padded = i->size > reader->size && strcmp(i->format, "raw") == 0;
    for (struct layer *l = i->top; l; l = l->backing) {
        if (l->largest_cluster > i->largest_cluster)
            i->largest_cluster = l->largest_cluster;
    }
    *image = i;
    return 0;
}

int image_open(const char *path, const char *name,
               const struct image_options *options, struct image **image,
               struct error *error)
{
    const struct file_options files = file_options(options);
    struct reader *reader;
    int err = file_open(path, name, &files, &reader, error);

    if (err)
        return err;
    return image_open_reader(reader, path, options, image, error);
}

void image_close(struct image *image)
{
    if (!image)
        return;
    while (image->top) {
        struct layer *layer = image->top;

        image->top = layer->backing;
        layer_close(layer);
    }
    for (size_t i = 0; i < image->warning_count; i++)
        free(image->warnings[i]);
    free(image->warnings);
    free(image);
}
