/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening one layer: what its name stands for, and in which format it is. What
 * is not read here, QEMU reads.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "common/path.h"
#include "format/format.h"
#include "format/probe.h"
#include "image/open.h"
#include "image/walk.h"
#include "nbd/nbd.h"
#include "qemu/files.h"
#include "qemu/qemu.h"

/* How to reach a server. For a name that an image chose, without anything of
 * the user's that could tell the server who asks, or let it in. */
static struct nbd_options nbd_options(const struct layer_source *source,
                                      const struct image_options *options)
{
    static const struct nbd_options defaults = {
        .connections = NBD_DEFAULT_CONNECTIONS,
        .timeout = NBD_DEFAULT_TIMEOUT,
    };
    const struct nbd_options *nbd = options->nbd;

    if (!nbd)
        nbd = &defaults;
    if (!source->recorded)
        return *nbd;
    return (struct nbd_options){
        .connections = nbd->connections,
        .timeout = nbd->timeout,
        .recorded = true,
    };
}

/* A name that QEMU has to open: with another protocol, or an option string; and
 * an export in a format that is read by QEMU. */
static bool is_for_qemu(const struct layer_source *source)
{
    if (source->image_opts)
        return true;
    if (nbd_is_uri(source->path))
        return source->format && !format_is_native(source->format);
    return !path_of_name(source->path);
}

/* One in which all that QEMU opens may be named. */
static bool is_description(const struct layer_source *source)
{
    return source->image_opts || strncmp(source->path, "json:", 5) == 0;
}

/* Where a server has disks, not files: a guest may write all of it. */
static bool is_export(const char *path)
{
    static const char *const files[] = { "http:", "https:", "ftp:",   "ftps:",
                                         "ssh:",  "nfs:",   "gluster" };

    if (path_of_name(path))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        if (strncmp(path, files[i], strlen(files[i])) == 0)
            return false;
    }
    return true;
}

/* QEMU knows less of URIs than libnbd. */
static int check_uri(const struct layer_source *source, struct error *error)
{
    const char *uri = source->path, *format = source->format;

    if (source->image_opts || !nbd_is_uri(uri) || !format ||
        format_is_native(format) || strncmp(uri, "nbd:", 4) == 0 ||
        strncmp(uri, "nbd+unix:", 9) == 0)
        return 0;
    return error_set(error, ENOTSUP,
                     "%s: a %s image is read by QEMU, which cannot open this "
                     "URI; give it as --image-opts driver=%s,file.driver=nbd,"
                     "file.server.type=...,file.tls-creds=...",
                     source->name, format, format);
}

/* What QEMU opens, raw or with all below it. foreign: names in it that are no
 * plain files are followed. */
static int start_qemu(struct layer *layer, const struct layer_source *source,
                      const char *format, const struct image_options *options,
                      bool foreign, struct error *error)
{
    const struct nbd_options nbd = nbd_options(source, options);
    bool is_file = layer->container && path_of_name(source->path);
    /* The user's secrets are for what the user named. */
    bool trusted = !source->recorded && !foreign;
    const struct qemu_options qemu = {
        .name = source->name,
        .path = is_file ? source->path : NULL,
        .other = is_file ? NULL : source->path,
        .image_opts = source->image_opts,
        .format = format,
        .snapshot = source->snapshot,
        .objects = options->objects,
        .object_count = trusted ? options->object_count : 0,
        .files = options->files,
        .over = is_file ? NULL : layer->container,
        .lends = !layer->container && !is_description(source),
        .network = !layer->container || foreign,
        .nbd = &nbd,
    };
    int err;

    if (options->standalone)
        return error_set(error, EPERM,
                         "%s: is read by QEMU, which may open other files",
                         source->name);
    err = qemu_open(&qemu, &layer->reader, error);
    if (err)
        return err;
    return qemu_files_open(qemu_pid(layer->reader), source->name,
                           options->files.force_share, layer->container,
                           &layer->qemu_files, error);
}

/* A layer that has the disk as QEMU reads it, with all below it. */
static int open_through_qemu(struct layer *layer,
                             const struct layer_source *source,
                             const char *format,
                             const struct image_options *options, bool foreign,
                             struct error *error)
{
    static const struct layer_options no_options;
    int err = start_qemu(layer, source, format, options, foreign, error);

    if (err)
        return err;
    layer->format = format ? format : "qemu";
    return raw_open(layer, &no_options, error);
}

/* The user trusts the names, which QEMU follows from where the image is. A
 * server may serve a single client: ours goes before QEMU comes. */
static int reopen_through_qemu(struct layer *layer,
                               const struct layer_source *source,
                               const char *format,
                               const struct image_options *options,
                               struct error *error)
{
    struct error cause = ERROR_INIT;
    int err;

    qemu_files_close(layer->qemu_files);
    layer->qemu_files = NULL;
    layer->reader->ops->close(layer->reader);
    layer->reader = NULL;
    err = open_through_qemu(layer, source, format, options, true, &cause);
    if (err)
        error_set(error, err,
                  "%s. (A %s image is opened a second time, by QEMU: a server "
                  "that ends with its first client cannot be used)",
                  error_message(&cause), format);
    error_clear(&cause);
    return err;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);

    return len >= n && strcmp(text + len - n, end) == 0;
}

/* Whether this is where raw disks are: a guest that writes one can make it look
 * like any format. */
static bool may_be_a_guests(const char *path)
{
    struct stat st;

    return ends_with(path, ".raw") || ends_with(path, ".img") ||
           (stat(path, &st) == 0 && S_ISBLK(st.st_mode));
}

/*
 * The format of a layer, when nobody said it. What comes from a server is the
 * bytes of a disk, whatever a guest made them look like.
 */
static int choose_format(struct layer *layer, const struct layer_source *source,
                         const char **format, struct error *error)
{
    const char *path = source->path;
    const char *hidden;
    int err = probe_format(layer->reader, path, format, &hidden, error);

    if (err)
        return err;
    if (!path || is_export(path)) {
        layer->hidden_format = hidden;
        if (strcmp(*format, "raw") != 0)
            layer->hidden_format = *format;
        *format = "raw";
        return 0;
    }
    layer->hidden_format = hidden;
    layer->unpinned = strcmp(*format, "raw") != 0 && may_be_a_guests(path);
    return 0;
}

/* Open a layer whose reader is there. */
static int open_format(struct layer *layer, const struct layer_source *source,
                       const struct image_options *options, struct error *error)
{
    const char *format = source->format;
    bool foreign;
    int err = format ? 0 : choose_format(layer, source, &format, error);

    if (err)
        return err;
    if (format_is_native(format)) {
        const struct layer_options layer_options = {
            .snapshot = source->snapshot,
            .files = options->files,
            .standalone = options->standalone,
        };

        layer->format = format;
        return format_find(format)->open(layer, &layer_options, error);
    }
    if (!source->path) {
        return error_set(error, ENOTSUP,
                         "%s: format '%s' is not supported here; start the "
                         "server first, and give its URI",
                         source->name, format);
    }
    err = walk_image(layer->reader,
                     qemu_descriptor(source->path) < 0 ? source->path : NULL,
                     format, options, &foreign, error);
    if (err)
        return err;
    if (foreign && !path_of_name(source->path))
        return reopen_through_qemu(layer, source, format, options, error);
    /* Our reader stays, to see whether the file changes, or as the one way to a
     * server: should that give other names to the QEMU that looks for them, it
     * has no network to follow them. */
    layer->container = layer->reader;
    layer->reader = NULL;
    return open_through_qemu(layer, source, format, options, foreign, error);
}

/* An export in a format that is QEMU's, and has no names to be looked at. A
 * server may serve a single client. */
static bool is_left_to_qemu(const struct layer_source *source)
{
    const struct format *format =
        source->format ? format_find(source->format) : NULL;

    return nbd_is_uri(source->path) && source->format &&
           (!format || (!format->open && !format->names));
}

/* The user's own credentials may be for any part of it. */
static int open_description(struct layer *layer,
                            const struct layer_source *source,
                            const struct image_options *options,
                            struct error *error)
{
    bool foreign = false;
    int err = 0;

    /* One that an image records is trusted as a whole, or refused. */
    if (!source->recorded)
        err = walk_description(source->path, !source->image_opts, options,
                               &foreign, error);
    if (err)
        return err;
    if (foreign && options->object_count)
        return error_set(error, EPERM,
                         "%s: --trust-names follows a name in the image only "
                         "without --object",
                         source->name);
    return open_through_qemu(layer, source, source->format, options, false,
                             error);
}

static int open_source(struct layer *layer, const struct layer_source *source,
                       const struct image_options *options, struct error *error)
{
    const struct nbd_options nbd = nbd_options(source, options);
    struct layer_source raw = *source;
    int err;

    raw.snapshot = NULL;
    if (layer->reader)
        return open_format(layer, source, options, error);
    err = check_uri(source, error);
    if (err)
        return err;
    if (is_left_to_qemu(source))
        return open_through_qemu(layer, source, source->format, options, false,
                                 error);
    if (is_for_qemu(source) && is_description(source))
        return open_description(layer, source, options, error);
    if (is_for_qemu(source))
        err = start_qemu(layer, &raw, "raw", options, false, error);
    else if (nbd_is_uri(source->path))
        err = nbd_open_uri(source->path, &nbd, &layer->reader, error);
    else
        err = file_open(source->path, source->name, &options->files,
                        &layer->reader, error);
    return err ? err : open_format(layer, source, options, error);
}

int layer_open(struct reader *reader, const struct layer_source *source,
               const struct image_options *options, struct layer **layer,
               struct error *error)
{
    struct layer *l = calloc(1, sizeof(*l));
    int err;

    if (!l) {
        err = error_no_memory(error, source->name);
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
    qemu_files_close(layer->qemu_files);
    free(layer->backing_name);
    free(layer->backing_format);
    free(layer);
}
