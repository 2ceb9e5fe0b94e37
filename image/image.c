/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/image.h"

#include <errno.h>
#include <string.h>

#include "common/units.h"
#include "image/probe.h"

static int open_format(struct reader *reader, const char *format,
                       struct image **image, struct error *error)
{
    const char *probed;
    int err;

    if (format && strcmp(format, "raw") != 0)
        return error_set(error, ENOTSUP, "%s: format '%s' is not supported",
                         reader->name, format);
    if (!format) {
        err = probe_format(reader, &probed, error);
        if (err)
            return err;
        if (strcmp(probed, "raw") != 0)
            return probe_refuse(probed, reader->name, error);
    }
    return raw_open(reader, image, error);
}

int image_open(struct reader *reader, const char *format, struct image **image,
               struct error *error)
{
    int err = open_format(reader, format, image, error);

    if (err)
        reader->ops->close(reader);
    return err;
}

bool image_is_padded(const struct image *image)
{
    return image->reader->size % SECTOR_SIZE != 0;
}

void image_close(struct image *image)
{
    if (image)
        image->ops->close(image);
}
