/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/names.h"

#include <limits.h>
#include <stdlib.h>

#include "format/layer.h"

/* QEMU takes no longer name of a backing file. In most formats, the limit is
 * 1,023 bytes. */
#define MAX_NAME (PATH_MAX - 1)

int names_visit(const struct name_visitor *visitor, enum name_kind kind,
                const char *what, const char *name, const char *format,
                struct error *error)
{
    const struct recorded_name found = {
        .kind = kind,
        .what = what,
        .name = name,
        .format = format,
    };

    return visitor->visit(visitor->arg, &found, error);
}

int names_visit_backing(struct reader *r, uint64_t offset, uint32_t length,
                        const char *format, const struct name_visitor *visitor,
                        struct error *error)
{
    char *name;
    int err;

    if (length > MAX_NAME)
        return 0;
    /* Not on the stack: the visitor goes on to the names in that image. */
    name = calloc(1, length + 1);
    if (!name)
        return error_no_memory(error, r->name);
    err = metadata_read(r, offset, name, length, error);
    if (!err && *name)
        err = names_visit(visitor, NAME_IMAGE, "backing file", name, format,
                          error);
    free(name);
    return err;
}
