/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening one layer: open its source, find its format, and open the image in
 * that format. QEMU opens sources and formats that are not known here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "common/path.h"
#include "format/format.h"
#include "format/probe.h"
#include "image/beside.h"
#include "image/description.h"
#include "image/member.h"
#include "image/native.h"
#include "image/open.h"
#include "image/walk.h"
#include "nbd/nbd.h"
#include "qemu/files.h"
#include "qemu/qemu.h"
#include "reader/open-disk.h"

/* How to reach a server, which has no bitmap. A server that an image names gets
 * nothing that says who the user is, or that lets the user in. */
static struct nbd_options nbd_options(const struct layer_source *source,
                                      const struct image_options *options)
{
    static const struct nbd_options defaults = {
        .connections = NBD_DEFAULT_CONNECTIONS,
        .timeout = NBD_DEFAULT_TIMEOUT,
    };
    struct nbd_options nbd = options->nbd ? *options->nbd : defaults;

    nbd.bitmap = NULL;
    nbd.no_extents = options->no_extents;
    if (!source->recorded)
        return nbd;
    return (struct nbd_options){
        .connections = nbd.connections,
        .timeout = nbd.timeout,
        .no_extents = nbd.no_extents,
        .recorded = true,
    };
}

const char *image_export_bitmap(const struct image_options *options)
{
    const char *format = options->format;

    return !format || strcmp(format, "raw") == 0 ? options->bitmap : NULL;
}

enum source_kind source_kind_of(const char *name)
{
    if (path_of_name(name))
        return SOURCE_FILE;
    if (is_nbd_uri(name))
        return SOURCE_EXPORT;
    return strncmp(name, "json:", 5) == 0 ? SOURCE_JSON : SOURCE_SERVER;
}

/* Whether a server has disks rather than files: all bytes are a guest's. */
static bool has_disks(const struct layer_source *source)
{
    static const char *const files[] = { "http:", "https:", "ftp:",   "ftps:",
                                         "ssh:",  "nfs:",   "gluster" };

    if (source->kind != SOURCE_SERVER)
        return source->kind != SOURCE_FILE && source->kind != SOURCE_MEMBER;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        if (strncmp(source->path, files[i], strlen(files[i])) == 0)
            return false;
    }
    return true;
}

/* --- through QEMU ------------------------------------------------------- */

/* QEMU opens what an image names. Ask before any of it is opened here. */
static int check_standalone(const struct layer_source *source,
                            const struct image_options *options,
                            struct error *error)
{
    if (!options->standalone)
        return 0;
    return error_set(error, EPERM,
                     "%s: QEMU reads this image, and may open other files, "
                     "which --standalone refuses",
                     source->name);
}

/* What a QEMU may reach, and whether it is given the user's secrets. */
enum reach {
    REACH_FILES,   /* local files only, with the secrets */
    REACH_NETWORK, /* what the user named, with the secrets */
    REACH_FOREIGN, /* what an image names, without them */
};

/* What QEMU is to open: the source, unless it is open already. */
static enum qemu_source qemu_source(const struct chain_layer *layer,
                                    const struct layer_source *source)
{
    switch (source->kind) {
    case SOURCE_FILE:
        return QEMU_FILE;
    case SOURCE_JSON:
        return QEMU_JSON;
    case SOURCE_OPTIONS:
        return QEMU_OPTIONS;
    default:
        return layer->container ? QEMU_EXPORT : QEMU_NAME;
    }
}

/* Have QEMU open the source in a format. */
static int start_qemu(struct chain_layer *layer,
                      const struct layer_source *source, const char *format,
                      const char *snapshot, const struct walked *walked,
                      const struct image_options *options, enum reach reach,
                      struct error *error)
{
    const struct nbd_options nbd = nbd_options(source, options);
    bool trusted = !source->recorded && reach != REACH_FOREIGN;
    const struct qemu_options qemu = {
        .name = source->name,
        .source = qemu_source(layer, source),
        .text = source->path,
        .export = layer->container,
        .knows_backing = walked && !walked->foreign,
        .backing = walked ? walked->backing : NULL,
        .backing_format = walked ? walked->backing_format : NULL,
        .format = format,
        .snapshot = snapshot,
        .objects = options->objects,
        .object_count = trusted ? options->object_count : 0,
        .files = options->files,
        .network = reach != REACH_FILES,
        .anonymous = !trusted,
        .nbd = &nbd,
    };
    int err = qemu_open(&qemu, &layer->layer.reader, error);

    if (err)
        return err;
    layer->networked = layer->networked || qemu.network;
    return qemu_files_open(qemu_pid(layer->layer.reader), source->name,
                           options->files.force_share, layer->container,
                           &layer->qemu_files, error);
}

/* Open a layer that QEMU reads, with all layers below it: to us it is raw.
 * walked: what a walk from the container found. */
static int open_through_qemu(struct chain_layer *layer,
                             const struct layer_source *source,
                             const char *format, const struct walked *walked,
                             const struct image_options *options,
                             enum reach reach, struct error *error)
{
    static const struct layer_options no_options;
    int err = start_qemu(layer, source, format, source->snapshot, walked,
                         options, reach, error);

    if (err)
        return err;
    layer->format = format ? format : "qemu";
    return raw_open(&layer->layer, &no_options, error);
}

/* The user trusts the names in an image on a server. QEMU follows them from
 * where the image is, so it has to open the image itself. The server may serve
 * a single client: this one goes before QEMU comes. */
static int reopen_through_qemu(struct chain_layer *layer,
                               const struct layer_source *source,
                               const char *format,
                               const struct image_options *options,
                               struct error *error)
{
    struct error cause = ERROR_INIT;
    int err;

    qemu_files_close(layer->qemu_files);
    layer->qemu_files = NULL;
    layer->layer.reader->ops->close(layer->layer.reader);
    layer->layer.reader = NULL;
    err = open_through_qemu(layer, source, format, NULL, options, REACH_FOREIGN,
                            &cause);
    if (err)
        error_set(error, err,
                  "%s. (QEMU opens a %s image again, so a server that serves a "
                  "single client cannot be used)",
                  error_message(&cause), format);
    error_clear(&cause);
    return err;
}

/* --- the format --------------------------------------------------------- */

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);

    return len >= n && strcmp(text + len - n, end) == 0;
}

static bool is_name_of_raw_disk(const char *path)
{
    return ends_with(path, ".raw") || ends_with(path, ".img");
}

bool image_is_for_raw_disks(const char *path)
{
    struct stat st;

    return is_name_of_raw_disk(path) ||
           (stat(path, &st) == 0 && S_ISBLK(st.st_mode));
}

bool image_is_made_by_kernel(const char *path)
{
    return is_made_by_kernel(path);
}

/*
 * Choose the format that neither the user nor an image gives. An export is the
 * bytes of a disk, whatever a guest has made them look like.
 */
static int choose_format(struct chain_layer *layer,
                         const struct layer_source *source, const char **format,
                         struct error *error)
{
    struct probe found;
    bool is_member = source->kind == SOURCE_MEMBER;
    bool for_raw_disks;
    int err = probe_format(layer->layer.reader, source->path, &found, error);

    if (err)
        return err;
    *format = found.format;
    layer->lookalike = found.lookalike;
    if (has_disks(source)) {
        if (strcmp(*format, "raw") != 0)
            layer->lookalike = (struct lookalike){ .format = *format };
        *format = "raw";
        return 0;
    }
    for_raw_disks = is_member ? is_name_of_raw_disk(source->path)
                              : image_is_for_raw_disks(source->path);
    layer->unpinned = strcmp(*format, "raw") != 0 && for_raw_disks;
    if (found.is_ova && !for_raw_disks)
        return member_refuse_ova(layer->layer.reader, source->name, is_member,
                                 error);
    return probe_check(&found, source->name, error);
}

/* Open an image that QEMU reads, and whose reader is open. */
static int open_container(struct chain_layer *layer,
                          const struct layer_source *source, const char *format,
                          const struct image_options *options,
                          struct error *error)
{
    struct walked walked;
    int err = walk_image(layer->layer.reader, walk_base(source->path), format,
                         options, &walked, error);

    if (!err && walked.foreign && source->kind != SOURCE_FILE) {
        err = reopen_through_qemu(layer, source, format, options, error);
    } else if (!err) {
        /* The reader stays open: to see whether a file changes, or as the one
         * way to a server. The image may now have another name of a backing
         * file than the walk saw: a server can show QEMU what it likes, and
         * the owner of a file can write to it. So QEMU is told that of the
         * walk. If it has an image on a server, it has no network. */
        layer->container = layer->layer.reader;
        layer->layer.reader = NULL;
        err = open_through_qemu(layer, source, format, &walked, options,
                                walked.foreign ? REACH_FOREIGN : REACH_FILES,
                                error);
    }
    free(walked.backing);
    return err;
}

/* QEMU opens an image alone, though others may have parts of its disk. */
static void look_beside(struct chain_layer *layer,
                        const struct layer_source *source)
{
    const struct format *format = format_find(layer->format);

    if (format && format->descriptor && source->kind == SOURCE_FILE &&
        beside_count(source->path, format->descriptor) > 1)
        layer->descriptor = format->descriptor;
}

/* Open a layer whose reader is open. */
static int open_format(struct chain_layer *layer,
                       const struct layer_source *source,
                       const struct image_options *options, struct error *error)
{
    const char *format = source->format;
    bool foreign;
    int err = format ? 0 : choose_format(layer, source, &format, error);

    if (!err)
        err = native_has_foreign_extents(layer, source, format, options,
                                         &foreign, error);
    if (err)
        return err;
    if (format_is_native(format) && !foreign)
        return native_open(layer, source, format, options, error);
    if (source->kind == SOURCE_MEMBER)
        return error_set(error, ENOTSUP,
                         "%s: QEMU reads images in the format '%s', but not in "
                         "an archive; extract it first",
                         source->name, format);
    if (source->kind == SOURCE_READER)
        return error_set(
            error, ENOTSUP,
            "%s: an image in the format '%s' cannot be read from this "
            "export; start the server first, and give its URI",
            source->name, format);
    err = check_standalone(source, options, error);
    if (!err)
        err = open_container(layer, source, format, options, error);
    if (!err)
        look_beside(layer, source);
    return err;
}

/* --- the source --------------------------------------------------------- */

/* Open the image in an archive whose reader is open. */
static int open_member(struct chain_layer *layer,
                       const struct layer_source *source,
                       const struct image_options *options, struct error *error)
{
    struct layer_source member = {
        .kind = SOURCE_MEMBER,
        .format = source->format,
        .snapshot = source->snapshot,
    };
    char *name;
    int err = member_open(&layer->layer.reader, options->member, &name, error);

    if (err)
        return err;
    member.path = name;
    member.name = layer->layer.reader->name;
    err = open_format(layer, &member, options, error);
    free(name);
    return err;
}

/* An image that an option string or a json: name describes. The user's own
 * credentials may be for any part of it. */
static int open_description(struct chain_layer *layer,
                            const struct layer_source *source,
                            const struct image_options *options,
                            struct error *error)
{
    enum reach reach = REACH_FOREIGN;
    bool foreign = false;
    struct description d;
    int err;

    /* The user trusts a description that an image records as a whole: otherwise
     * it was refused before. */
    if (source->recorded)
        return open_through_qemu(layer, source, source->format, NULL, options,
                                 reach, error);
    err = description_read(source->path, source->kind == SOURCE_JSON,
                           source->format, &d, error);
    if (!err)
        err = walk_description(&d, options, &foreign, error);
    if (!err && foreign && options->object_count)
        err = error_set(error, EPERM,
                        "%s: --trust-names cannot follow a name in an image "
                        "together with --object",
                        source->name);
    /* Where all that is described is local, so is all that an image in it may
     * name: also an image that the walk does not see, such as one in an
     * archive. */
    if (!d.is_local && !foreign)
        reach = REACH_NETWORK;
    else if (!options->trust_names || options->object_count)
        reach = REACH_FILES;
    description_free(&d);
    if (err)
        return err;
    return open_through_qemu(layer, source, source->format, NULL, options,
                             reach, error);
}

/* What QEMU can open: it knows fewer URIs than libnbd. */
static int check_uri(const struct layer_source *source, struct error *error)
{
    if (strncmp(source->path, "nbd:", 4) == 0 ||
        strncmp(source->path, "nbd+unix:", 9) == 0)
        return 0;
    return error_set(error, ENOTSUP,
                     "%s: a %s image is read by QEMU, which cannot open this "
                     "URI; give it as --image-opts driver=%s,file.driver=nbd,"
                     "file.server.type=...,file.tls-creds=...",
                     source->name, source->format, source->format);
}

/* An export in a format that QEMU reads. If names can be in it, they are looked
 * at first, in what another QEMU reads of it. If not, the server is asked once:
 * it may serve a single client. */
static int open_foreign_export(struct chain_layer *layer,
                               const struct layer_source *source,
                               const struct image_options *options,
                               struct error *error)
{
    const struct format *format = format_find(source->format);
    int err = check_standalone(source, options, error);

    if (!err)
        err = check_uri(source, error);
    if (err)
        return err;
    if (!format || !format->names)
        return open_through_qemu(layer, source, source->format, NULL, options,
                                 REACH_NETWORK, error);
    err = start_qemu(layer, source, "raw", NULL, NULL, options, REACH_NETWORK,
                     error);
    return err ? err : open_format(layer, source, options, error);
}

static int open_source(struct chain_layer *layer,
                       const struct layer_source *source,
                       const struct image_options *options, struct error *error)
{
    struct nbd_options nbd = nbd_options(source, options);
    bool is_archive = options->member && !source->recorded;
    int err = 0;

    switch (source->kind) {
    case SOURCE_READER:
    case SOURCE_MEMBER:
        break;
    case SOURCE_FILE:
        if (!layer->layer.reader)
            err = file_open(source->path, source->name, &options->files,
                            &layer->layer.reader, error);
        break;
    case SOURCE_EXPORT:
        if (source->format && !is_archive && !format_is_native(source->format))
            return open_foreign_export(layer, source, options, error);
        if (!source->recorded)
            nbd.bitmap = image_export_bitmap(options);
        err = nbd_open_uri(source->path, &nbd, &layer->layer.reader, error);
        break;
    case SOURCE_SERVER:
        err = check_standalone(source, options, error);
        if (!err)
            err = start_qemu(layer, source, "raw", NULL, NULL, options,
                             is_local_protocol(source->path) ? REACH_FILES
                                                             : REACH_NETWORK,
                             error);
        break;
    case SOURCE_JSON:
    case SOURCE_OPTIONS:
        if (is_archive)
            return error_set(error, ENOTSUP,
                             "%s: --member requires a plain name of the "
                             "archive, not a description for QEMU",
                             source->name);
        err = check_standalone(source, options, error);
        return err ? err : open_description(layer, source, options, error);
    }
    if (!err && is_archive)
        return open_member(layer, source, options, error);
    return err ? err : open_format(layer, source, options, error);
}

int layer_open(struct reader *reader, const struct layer_source *source,
               const struct image_options *options, struct chain_layer **layer,
               struct error *error)
{
    struct chain_layer *l = calloc(1, sizeof(*l));
    int err;

    if (!l) {
        err = error_no_memory(error, source->name);
        if (reader)
            reader->ops->close(reader);
        return err;
    }
    l->layer.reader = reader;
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

void layer_close(struct chain_layer *chain_layer)
{
    struct layer *layer = &chain_layer->layer;

    if (layer->ops)
        layer->ops->close(layer);
    for (size_t i = 0; i < layer->file_count; i++)
        reader_close(layer->files[i]);
    free(layer->files);
    reader_close(layer->reader);
    reader_close(chain_layer->container);
    qemu_files_close(chain_layer->qemu_files);
    for (size_t i = 0; i < LAYER_BACKING_NAMES; i++)
        free(layer->backing_names[i]);
    free(layer->backing_format);
    free(chain_layer);
}
