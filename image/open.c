/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening one layer: what its name stands for, and in which format it is. What
 * is not read here, QEMU reads.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/layer.h"
#include "image/probe.h"
#include "reader/nbd.h"
#include "reader/qemu.h"

typedef int format_open(struct layer *layer,
                        const struct layer_options *options,
                        struct error *error);

static format_open *find_format(const char *name)
{
    static const struct {
        const char *name;
        format_open *open;
    } formats[] = {
        { "raw", raw_open },
        { "qcow2", qcow2_open },
    };

    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
        if (strcmp(name, formats[i].name) == 0)
            return formats[i].open;
    }
    return NULL;
}

/* What nobody asked for. */
static const struct nbd_options nbd_defaults = {
    .connections = NBD_DEFAULT_CONNECTIONS,
    .timeout = NBD_DEFAULT_TIMEOUT,
};

static const struct nbd_options *nbd_options(
    const struct layer_options *options)
{
    const struct nbd_options *nbd = options->image->nbd;

    return nbd ? nbd : &nbd_defaults;
}

/* QEMU knows less of URIs than libnbd. */
static int check_uri(const struct layer_source *source, const char *format,
                     struct error *error)
{
    const char *uri = source->path;

    if (source->image_opts || !nbd_is_uri(uri) ||
        strncmp(uri, "nbd:", 4) == 0 || strncmp(uri, "nbd+unix:", 9) == 0)
        return 0;
    return error_set(error, ENOTSUP,
                     "%s: a %s image is read by QEMU, which can not open this "
                     "URI; give it as --image-opts driver=%s,file.driver=nbd,"
                     "file.server.type=...,file.tls-creds=...",
                     source->name, format, format);
}

/* A layer that has the disk as QEMU reads it, with all below it. */
static int open_through_qemu(struct layer *layer,
                             const struct layer_source *source,
                             const char *format,
                             const struct layer_options *options,
                             struct error *error)
{
    static const struct layer_options no_options;
    const struct image_options *image = options->image;
    bool is_file = layer->container;
    const struct qemu_options qemu = {
        .name = source->name,
        .path = is_file ? source->path : NULL,
        .other = is_file ? NULL : source->path,
        .image_opts = source->image_opts,
        .format = format,
        .snapshot = options->snapshot,
        .objects = image->objects,
        .object_count = image->object_count,
        .files = options->files,
        .nbd = nbd_options(options),
    };
    int err;

    if (options->standalone)
        return error_set(error, EPERM,
                         "%s: is read by QEMU, which may open other files",
                         source->name);
    err = is_file ? 0 : check_uri(source, format, error);
    if (!err)
        err = qemu_open(&qemu, &layer->reader, error);
    if (err)
        return err;
    err = qemu_files_open(&layer->qemu_files, qemu_pid(layer->reader),
                          options->files.force_share, layer->container, error);
    if (err)
        return err;
    layer->format = format ? format : "qemu";
    return raw_open(layer, &no_options, error);
}

/* A server may serve a single client: ours goes before QEMU comes. */
static int reopen_through_qemu(struct layer *layer,
                               const struct layer_source *source,
                               const char *format,
                               const struct layer_options *options,
                               struct error *error)
{
    struct error cause = ERROR_INIT;
    int err;

    layer->reader->ops->close(layer->reader);
    layer->reader = NULL;
    err = open_through_qemu(layer, source, format, options, &cause);
    if (err && !source->format)
        error_set(error, err,
                  "%s. (If the server ended with its first client: -f %s saves "
                  "the look at the format)",
                  error_message(&cause), format);
    else if (err)
        error_move(error, &cause);
    error_clear(&cause);
    return err;
}

/* Open a layer whose reader is there. */
static int open_format(struct layer *layer, const struct layer_source *source,
                       const struct layer_options *options, struct error *error)
{
    const char *format = source->format;
    format_open *open;

    if (!format) {
        int err =
            probe_format(layer->reader, &format, &layer->hidden_format, error);

        if (err)
            return err;
    }
    open = find_format(format);
    if (open) {
        layer->format = format;
        return open(layer, options, error);
    }
    if (!source->path) {
        if (!source->format)
            return probe_refuse(format, source->name, error);
        return error_set(error, ENOTSUP,
                         "%s: format '%s' is not supported here; start the "
                         "server first, and give its URI",
                         source->name, format);
    }
    if (nbd_is_uri(source->path))
        return reopen_through_qemu(layer, source, format, options, error);
    /* Our reader stays, to see whether the file changes. */
    layer->container = layer->reader;
    layer->reader = NULL;
    return open_through_qemu(layer, source, format, options, error);
}

static int open_source(struct layer *layer, const struct layer_source *source,
                       const struct layer_options *options, struct error *error)
{
    bool is_nbd = source->path && nbd_is_uri(source->path);
    int err;

    if (layer->reader)
        return open_format(layer, source, options, error);
    if (source->image_opts || (!path_of_name(source->path) && !is_nbd) ||
        (is_nbd && source->format && !find_format(source->format)))
        return open_through_qemu(layer, source, source->format, options, error);
    if (is_nbd)
        err = nbd_open_uri(source->path, nbd_options(options), &layer->reader,
                           error);
    else
        err = file_open(source->path, source->name, &options->files,
                        &layer->reader, error);
    return err ? err : open_format(layer, source, options, error);
}

int layer_open(struct reader *reader, const struct layer_source *source,
               const struct layer_options *options, struct layer **layer,
               struct error *error)
{
    struct layer *l = calloc(1, sizeof(*l));
    int err;

    if (!l) {
        err = error_set(error, ENOMEM, "%s: out of memory", source->name);
        if (reader)
            reader->ops->close(reader);
        return err;
    }
    l->reader = reader;
    err = open_source(l, source, options, error);
    if (err) {
        layer_close(l);
        return err;
    }
    *layer = l;
    return 0;
}

static void reader_close(struct reader *reader)
{
    if (reader)
        reader->ops->close(reader);
}

void layer_close(struct layer *layer)
{
    if (layer->ops)
        layer->ops->close(layer);
    reader_close(layer->data_file);
    reader_close(layer->reader);
    reader_close(layer->container);
    qemu_files_close(&layer->qemu_files);
    free(layer->backing_name);
    free(layer->backing_format);
    free(layer);
}
