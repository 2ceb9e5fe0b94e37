/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files that have parts of a layer: extents, and data files. The image records
 * their names, so the rules of image/recorded.h apply. They may only be plain
 * files.
 */
#ifndef IMAGE_PART_H
#define IMAGE_PART_H

#include <stdbool.h>

#include "format/layer.h"

struct part_opener {
    const char *image; /* its name, for messages */
    const char *base;  /* of struct layer_source */
    bool served;       /* a server or a command has the image, not this host */
    struct file_options files;
    unsigned count; /* of files that were opened */
};

/* The open_file of struct layer_options, whose arg is a part_opener. */
int part_open(void *arg, const struct recorded_name *name,
              struct reader **reader, struct error *error);

#endif
