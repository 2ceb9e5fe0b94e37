/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/native.h"

#include <stdlib.h>

#include "format/format.h"
#include "image/part.h"
#include "image/walk.h"
#include "qemu/qemu.h"

const char *walk_base(const char *path)
{
    return qemu_descriptor(path) < 0 ? path : NULL;
}

int native_has_foreign_extents(const struct chain_layer *layer,
                               const struct layer_source *source,
                               const char *format,
                               const struct image_options *options,
                               bool *foreign, struct error *error)
{
    const struct format *f = format_find(format);
    struct error cause = ERROR_INIT;
    struct walked walked;

    *foreign = false;
    /* An export is in no directory, so nothing in it may name extents. */
    if (!f || !f->has_extents || !options->trust_names ||
        (source->kind != SOURCE_FILE && source->kind != SOURCE_SERVER))
        return 0;
    (void)walk_image(layer->layer.reader, walk_base(source->path), format,
                     options, &walked, &cause);
    free(walked.backing);
    /* If QEMU is not needed, the reader of the format finds the faults. */
    *foreign = walked.foreign;
    if (*foreign)
        error_move(error, &cause);
    error_clear(&cause);
    return *foreign ? error->code : 0;
}

int native_open(struct chain_layer *layer, const struct layer_source *source,
                const char *format, const struct image_options *options,
                struct error *error)
{
    bool has_directory = source->path && walk_base(source->path);
    struct part_opener opener = {
        .image = layer->layer.reader->name,
        .base = has_directory ? source->base : NULL,
        .served = source->kind != SOURCE_FILE,
        .files = options->files,
    };
    const struct layer_options layer_options = {
        .snapshot = source->snapshot,
        .open_file = options->standalone ? NULL : part_open,
        .open_file_arg = &opener,
    };

    layer->format = format;
    return format_find(format)->open(&layer->layer, &layer_options, error);
}
