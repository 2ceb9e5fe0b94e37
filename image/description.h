/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptions of images for QEMU: an option string
 * ("driver=qcow2,file.filename=disk.qcow2"), or a name that begins with json:.
 */
#ifndef IMAGE_DESCRIPTION_H
#define IMAGE_DESCRIPTION_H

#include <stdbool.h>
#include <stddef.h>

struct description {
    char **files; /* the values of all keys "filename", at any depth, */
    size_t file_count;
    char **formats; /*     and of all keys "driver" that are formats */
    size_t format_count;
    bool failed; /* out of memory */
};

/* Read a description. ENOMEM is the only error. Call description_free() even
 * after an error. */
int description_read(const char *text, bool is_json, struct description *d);
void description_free(struct description *d);

#endif
