/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/warnings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/open.h"
#include "qemu/files.h"

/* QEMU may have a file open more than once, but one warning is enough. */
static bool is_warned(const struct image *image, const char *text)
{
    for (size_t i = 0; i < image->warning_count; i++) {
        if (strcmp(image->warnings[i], text) == 0)
            return true;
    }
    return false;
}

int image_warn(struct image *image, struct error *error, const char *format,
               ...)
{
    size_t size = (image->warning_count + 1) * sizeof(*image->warnings);
    char **warnings = realloc(image->warnings, size);
    char *text;
    va_list args;
    int n = -1;

    if (warnings) {
        image->warnings = warnings;
        va_start(args, format);
        n = vasprintf(&text, format, args);
        va_end(args);
    }
    if (n < 0)
        return error_no_memory(error, image->name);
    if (is_warned(image, text))
        free(text);
    else
        image->warnings[image->warning_count++] = text;
    return 0;
}

/* With force_share, a change is a warning. Its message has the name of the
 * file. */
static int warn_changed(struct image *image, const struct reader *r,
                        struct error *change, struct error *error)
{
    int err = image_warn(image, error, "%s: warning: %s", r->name,
                         error_message_without(change, r->name));

    error_clear(change);
    return err;
}

static int collect_warning(struct image *image, struct reader *r,
                           struct error *error)
{
    int err = 0;

    if (r->warning)
        err = image_warn(image, error, "%s: warning: %s", r->name, r->warning);
    r->warning = NULL;
    return err;
}

static int check_unchanged(struct image *image, struct reader *r,
                           struct error *error)
{
    struct error change = ERROR_INIT;
    int err = r->ops->check_unchanged(r, &change);

    if (err && image->force_share)
        return warn_changed(image, r, &change, error);
    if (err)
        error_move(error, &change);
    return err ? err : collect_warning(image, r, error);
}

typedef int visitor(struct image *image, struct reader *r, struct error *error);

static int visit_layer(struct image *image, const struct chain_layer *layer,
                       visitor *visit, struct error *error)
{
    const struct qemu_files *files = layer->qemu_files;
    int err = visit(image, layer->layer.reader, error);

    for (size_t i = 0; !err && i < layer->layer.file_count; i++)
        err = visit(image, layer->layer.files[i], error);
    if (!err && layer->container)
        err = visit(image, layer->container, error);
    for (size_t i = 0; !err && files && i < files->count; i++)
        err = visit(image, files->list[i], error);
    return err;
}

/* Visit all readers of all layers. An error ends the visit. */
static int visit_all(struct image *image, visitor *visit, struct error *error)
{
    int err = 0;

    for (struct chain_layer *layer = image->top; !err && layer;
         layer = layer->backing)
        err = visit_layer(image, layer, visit, error);
    return err;
}

int image_collect_warnings(struct image *image, struct error *error)
{
    return visit_all(image, collect_warning, error);
}

int image_check_unchanged(struct image *image, struct error *error)
{
    int err = visit_all(image, check_unchanged, error);

    if (err)
        error_name_image(error, image->name);
    return err;
}
