/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of other files that an image records. A format finds them, and finds
 * every name that QEMU would follow: in an image that QEMU refuses it may find
 * fewer or more. It judges none of them; image/recorded.h does.
 */
#ifndef FORMAT_NAMES_H
#define FORMAT_NAMES_H

#include <stdint.h>

#include "common/error.h"
#include "reader/reader.h"

enum name_kind {
    NAME_IMAGE,  /* an image of its own */
    NAME_EXTENT, /* a part of the image. Relative names in it start from the
                  * directory of the image, and so does its own name, which
                  * is a plain path even after "file:" */
    NAME_DATA,   /* raw data, by a path from the current directory */
};

struct recorded_name {
    enum name_kind kind;
    const char *what; /* "backing file" or the like, for messages */
    const char *name;
    const char *format; /* of the file; NULL: QEMU probes */
};

/* Who is told of each name. An error ends the search. */
struct name_visitor {
    int (*visit)(void *arg, const struct recorded_name *name,
                 struct error *error);
    void *arg;
};

/* Tell a visitor of a name. */
int names_visit(const struct name_visitor *visitor, enum name_kind kind,
                const char *what, const char *name, const char *format,
                struct error *error);

/* Read the name of a backing file, and tell the visitor. A name that QEMU would
 * not take, because it is empty or too long, is left out. */
int names_visit_backing(struct reader *reader, uint64_t offset, uint32_t length,
                        const char *format, const struct name_visitor *visitor,
                        struct error *error);

#endif
