/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/layer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int layer_open_file(struct layer *layer, const struct layer_options *options,
                    const struct recorded_name *name, struct reader **reader,
                    struct error *error)
{
    size_t size = (layer->file_count + 1) * sizeof(struct reader *);
    struct reader **files;
    int err;

    if (!options->open_file)
        return error_set(error, EPERM,
                         "%s: refers to another file, its %s '%s', "
                         "which --standalone refuses",
                         layer->reader->name, name->what, name->name);
    files = realloc(layer->files, size);
    if (!files)
        return error_no_memory(error, layer->reader->name);
    layer->files = files;
    err = options->open_file(options->open_file_arg, name, reader, error);
    if (!err)
        layer->files[layer->file_count++] = *reader;
    return err;
}

void layer_broken(const struct layer *layer, const char *kind, int code,
                  struct error *error, const char *format, va_list args)
{
    char text[256];

    vsnprintf(text, sizeof(text), format, args);
    error_set(error, code, "%s: broken %s image: %s", layer->reader->name, kind,
              text);
}
