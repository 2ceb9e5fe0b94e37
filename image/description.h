/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the user wrote for QEMU: an option string ("driver=qcow2,file.filename=
 * disk.qcow2", a comma in a value is doubled), or a name that begins with
 * json:. Not a parser of all that QEMU takes: it finds the files in what people
 * write.
 */
#ifndef IMAGE_DESCRIPTION_H
#define IMAGE_DESCRIPTION_H

#include <stdbool.h>
#include <stddef.h>

struct description {
    char **files; /* the values of all keys that end in "filename" */
    size_t file_count;
    char **formats; /* and of all that end in "driver" and are formats */
    size_t format_count;
};

/* ENOMEM is the only error. Free with description_free(), then, too. */
int description_read(const char *text, bool is_json, struct description *d);
void description_free(struct description *d);

#endif
