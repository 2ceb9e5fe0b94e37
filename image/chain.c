/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Opening an image: its layer first, then its backing files, one after the
 * other, where QEMU would find them.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/path.h"
#include "common/units.h"
#include "image/disk-part.h"
#include "image/open.h"
#include "image/recorded.h"
#include "image/warnings.h"
#include "nbd/nbd.h"

/* More layers than anybody uses: QEMU, which opens a chain by recursion, fails
 * earlier. Each layer costs a descriptor and 128 KiB of tables. */
#define MAX_CHAIN 1000

/* The most memory for what else the formats keep of all layers. VMware's
 * largest disk, of 31,760 extents, takes 108 MiB with 32 snapshots. */
#define MAX_CHAIN_MEMORY (112 * MiB)

/* In qcow2; with it, the name of a metadata context is not too long either. */
#define MAX_BITMAP_NAME 1023

/* --- backing files ------------------------------------------------------ */

/* Find the path of a backing file, or the name with a protocol that QEMU takes
 * for one. A relative name starts from the directory of the name by which the
 * image was opened. An export is in no directory: a name in it must not choose
 * another export. */
static int backing_path(const struct layer *layer, const char *name,
                        const char *base_path, bool trust_names, char **below,
                        struct error *error)
{
    const char *path = path_of_name(name);
    bool has_place = path && (path != name || *path == '/');
    bool relative = path && !has_place;
    bool foreign = !path || (relative && base_path && !is_nbd_uri(base_path) &&
                             !path_of_name(base_path));

    *below = NULL;
    if (foreign && !trust_names)
        return recorded_refuse(layer->reader->name, "backing file", name,
                               error);
    if (!path) {
        *below = strdup(name);
    } else if (has_place) {
        /* QEMU takes a path after "file:" from the current directory. */
        *below = plain_path(path);
    } else if (!base_path || is_nbd_uri(base_path)) {
        return recorded_no_place(layer->reader->name, "backing file", name,
                                 error);
    } else {
        (void)recorded_path(base_path, path, below);
    }
    if (!*below)
        return error_no_memory(error, layer->reader->name);
    return 0;
}

/* Find the file below a layer: of its names the first that exists, or the first
 * of all. */
static int find_backing(const struct layer *layer, const char *base_path,
                        bool trust_names, char **below, struct error *error)
{
    char *const *names = layer->backing_names;
    bool several = names[1];

    for (size_t i = 0; several && i < LAYER_BACKING_NAMES && names[i]; i++) {
        int err =
            backing_path(layer, names[i], base_path, trust_names, below, error);

        if (err)
            return err;
        assert(*below);
        if (!path_of_name(*below) || access(*below, F_OK) == 0)
            return 0;
        free(*below);
    }
    return backing_path(layer, names[0], base_path, trust_names, below, error);
}

/* A guest can make its raw disk look like an image that names other files. */
static int warn_probed(struct image *image, const struct chain_layer *l,
                       struct error *error)
{
    return image_warn(image, error,
                      "%s: warning: no format is recorded for its backing file "
                      "'%s'; it is read as %s",
                      l->layer.reader->name, l->layer.backing_names[0],
                      l->backing->format);
}

/* A snapshot, or a part of a disk. */
static int warn_alone(struct image *image, const struct chain_layer *l,
                      struct error *error)
{
    if (!l->descriptor)
        return 0;
    return image_warn(image, error,
                      "%s: warning: it is read alone, but %s beside it names "
                      "several images of the disk; merge them first",
                      l->layer.reader->name, l->descriptor);
}

/* The user may mean another disk than the one that is read. */
static int warn_format(struct image *image, const struct chain_layer *l,
                       enum lookalike_place place, struct error *error)
{
    char text[LOOKALIKE_TEXT];

    if (lookalike_found(&l->lookalike)) {
        lookalike_describe(&l->lookalike, place, text);
        return image_warn(image, error, "%s: warning: %s",
                          l->layer.reader->name, text);
    }
    if (l->unpinned)
        return image_warn(
            image, error,
            "%s: warning: it looks like a %s image, and is read "
            "as one; since a guest can make its raw disk look like "
            "one, give -f %s or -f raw",
            l->layer.reader->name, l->format, l->format);
    return 0;
}

/* Exports have no other identity than their URIs. */
static bool same_object(const struct reader *a, const struct reader *b)
{
    return reader_same_object(a, b) ||
           (is_nbd_uri(a->name) && strcmp(a->name, b->name) == 0);
}

/* A file may be its own raw backing file, which ends the chain. */
static int check_loop(const struct image *image, const struct chain_layer *last,
                      struct error *error)
{
    if (!last->layer.backing_names[0])
        return 0;
    for (const struct chain_layer *l = image->top; l != last; l = l->backing) {
        if (same_object(l->layer.reader, last->layer.reader))
            return error_set(error, ELOOP,
                             "%s: the backing chain loops back to '%s'",
                             image->name, last->layer.reader->name);
    }
    return 0;
}

/* Open the file below a layer. *path is the path of the layer, and is replaced
 * by that of the file. */
static int open_backing(struct image *image, struct chain_layer *l, char **path,
                        const struct image_options *options,
                        struct error *error)
{
    const struct layer *layer = &l->layer;
    struct error cause = ERROR_INIT;
    struct layer_source source;
    char *below;
    int err = recorded_check_format(layer->reader->name, "backing file",
                                    layer->backing_format, error);

    if (!err)
        err = find_backing(layer, *path, options->trust_names, &below, error);
    if (err)
        return err;
    free(*path);
    *path = below;
    if (path_of_name(below))
        err = recorded_check_path(layer->reader->name, "backing file", below,
                                  error);
    if (err)
        return err;

    source = (struct layer_source){
        .kind = source_kind_of(below),
        .path = below,
        .base = path_of_name(below) ? below : NULL,
        .name = below,
        .format = layer->backing_format,
        .recorded = true,
    };
    err = layer_open(NULL, &source, options, &l->backing, &cause);
    if (err) {
        error_set(error, err, "%s: cannot open its backing file: %s",
                  layer->reader->name, error_message(&cause));
        error_clear(&cause);
        return err;
    }
    err = check_loop(image, l->backing, error);
    if (!err && layer->ops->check_backing)
        err = layer->ops->check_backing(layer, &l->backing->layer, error);
    if (!err && !layer->backing_format)
        err = warn_probed(image, l, error);
    if (!err)
        err = warn_format(image, l->backing, LOOKALIKE_FILE, error);
    if (!err)
        err = warn_alone(image, l->backing, error);
    return err;
}

/* One layer is bounded by its format, but not a chain of them. */
static int check_memory(const struct image *image,
                        const struct chain_layer *layer, size_t *memory,
                        struct error *error)
{
    *memory += layer->layer.memory;
    if (*memory <= MAX_CHAIN_MEMORY)
        return 0;
    return error_set(error, EFBIG,
                     "%s: the images of its backing chain, down to '%s', need "
                     "too much memory for their tables",
                     image->name, layer->layer.reader->name);
}

static int open_chain(struct image *image, const char *base_path,
                      const struct image_options *options, struct error *error)
{
    char *path = NULL;
    unsigned depth = 1;
    size_t memory = image->top->layer.memory;
    int err = 0;

    if (image->top->layer.backing_names[0] && options->standalone)
        return error_set(error, EPERM,
                         "%s: refers to another file, its backing file '%s', "
                         "which --standalone refuses",
                         image->name, image->top->layer.backing_names[0]);
    if (base_path)
        path = strdup(base_path);
    if (base_path && !path)
        return error_no_memory(error, image->name);
    for (struct chain_layer *l = image->top; !err && l->layer.backing_names[0];
         l = l->backing) {
        if (++depth > MAX_CHAIN)
            err = error_set(error, ELOOP,
                            "%s: the backing chain is longer than %d images",
                            image->name, MAX_CHAIN);
        else
            err = open_backing(image, l, &path, options, error);
        if (!err)
            err = check_memory(image, l->backing, &memory, error);
        if (err)
            break;
    }
    free(path);
    return err;
}

/* --- images ------------------------------------------------------------- */

static int check_size(const struct image *image,
                      const struct image_options *options, struct error *error)
{
    if (!options->max_size || image->size <= options->max_size)
        return 0;
    return error_set(error, EFBIG,
                     "%s: the disk has %" PRIu64
                     " bytes, more than --max-size allows",
                     image->name, image->size);
}

static int check_bitmap(const struct layer_source *source,
                        const struct image_options *options,
                        struct error *error)
{
    if (!options->bitmap)
        return 0;
    if (source->snapshot)
        return error_set(error, EINVAL,
                         "%s: a bitmap records the changes of the active disk, "
                         "not those of a snapshot",
                         source->name);
    if (!*options->bitmap || strlen(options->bitmap) > MAX_BITMAP_NAME)
        return error_set(error, EINVAL,
                         "%s: the name of a bitmap has 1 to %d bytes",
                         source->name, MAX_BITMAP_NAME);
    return 0;
}

/* Whether all files of a layer are read through the page cache. */
static bool is_cached(const struct layer *layer)
{
    bool cached = layer->reader->cached;

    for (size_t i = 0; i < layer->file_count; i++)
        cached = cached && layer->files[i]->cached;
    return cached;
}

static int open_source(struct reader *reader, const struct layer_source *source,
                       const struct image_options *options,
                       struct image **image, struct error *error)
{
    struct image *i = calloc(1, sizeof(*i));
    int err;

    if (!i) {
        err = error_no_memory(error, source->name);
        if (reader)
            reader->ops->close(reader);
        return err;
    }
    err = check_bitmap(source, options, error);
    if (err && reader)
        reader->ops->close(reader);
    if (!err)
        err = layer_open(reader, source, options, &i->top, error);
    if (!err) {
        i->name = i->top->layer.reader->name;
        err = warn_format(i, i->top,
                          options->member ? LOOKALIKE_MEMBER : LOOKALIKE_FILE,
                          error);
    }
    if (!err)
        err = warn_alone(i, i->top, error);
    if (!err)
        err = disk_part_choose(i, options, error);
    if (!err)
        err = check_size(i, options, error);
    if (!err)
        err = open_chain(i, options->member ? NULL : source->base, options,
                         error);
    if (!err)
        err = image_collect_warnings(i, error);
    if (err) {
        image_close(i);
        return err;
    }

    i->format = i->top->format;
    i->bitmap = options->bitmap;
    i->force_share = options->files.force_share;
    i->no_extents = options->no_extents;
    i->cached = true;
    for (struct chain_layer *l = i->top; l; l = l->backing) {
        if (l->layer.table_span > i->table_span)
            i->table_span = l->layer.table_span;
        if (l->layer.largest_cluster > i->largest_cluster)
            i->largest_cluster = l->layer.largest_cluster;
        if (!is_cached(&l->layer))
            i->cached = false;
    }
    *image = i;
    return 0;
}

int image_open(const char *path, const char *name,
               const struct image_options *options, struct image **image,
               struct error *error)
{
    enum source_kind kind =
        options->image_opts ? SOURCE_OPTIONS : source_kind_of(path);
    bool is_file = kind == SOURCE_FILE;
    char *plain = is_file ? plain_path(path_of_name(path)) : NULL;
    const struct layer_source source = {
        .kind = kind,
        .path = is_file ? plain : path,
        .base = is_file ? plain : path,
        .name = name,
        .format = options->format,
        .snapshot = options->snapshot,
    };
    int err;

    if (!source.path)
        return error_no_memory(error, name);
    err = open_source(NULL, &source, options, image, error);
    free(plain);
    return err;
}

int image_open_reader(struct reader *reader,
                      const struct image_options *options, struct image **image,
                      struct error *error)
{
    const struct layer_source source = {
        .kind = SOURCE_READER,
        .name = reader->name,
        .format = options->format,
        .snapshot = options->snapshot,
    };

    return open_source(reader, &source, options, image, error);
}

int image_open_file(struct reader *reader, const char *path,
                    const char *base_path, const struct image_options *options,
                    struct image **image, struct error *error)
{
    const struct layer_source source = {
        .kind = SOURCE_FILE,
        .path = path,
        .base = base_path,
        .name = reader->name,
        .format = options->format,
        .snapshot = options->snapshot,
    };

    return open_source(reader, &source, options, image, error);
}

void image_close(struct image *image)
{
    if (!image)
        return;
    while (image->top) {
        struct chain_layer *layer = image->top;

        image->top = layer->backing;
        layer_close(layer);
    }
    for (size_t i = 0; i < image->warning_count; i++)
        free(image->warnings[i]);
    free(image->warnings);
    free(image);
}
