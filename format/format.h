/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of image formats. Whatever the rest of the program asks about a
 * format is answered from its line in formats.c: whether an image is in it, who
 * reads it, which names an image can record, and that it is a format at all.
 */
#ifndef FORMAT_FORMAT_H
#define FORMAT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "format/layer.h"
#include "format/names.h"

#define FORMAT_FILE_SUFFIXES 3

/* Bytes by which a format is recognised, at an offset of the image. */
struct magic {
    unsigned offset;
    unsigned length; /* 0: there is none */
    const char *bytes;
};

/* A string literal without its final NUL. */
#define MAGIC(at, text)                                                        \
    {                                                                          \
        .offset = (at), .length = sizeof(text) - 1, .bytes = (text)            \
    }

/* Whether an image that begins with these bytes is in a format. */
typedef bool format_probe(const unsigned char *start, size_t len);

/* Open an image: layer.h. */
typedef int format_open(struct layer *layer,
                        const struct layer_options *options,
                        struct error *error);

/* Find the names of other files in an image: names.h. */
typedef int format_names(struct reader *reader,
                         const struct name_visitor *visitor,
                         struct error *error);

struct format {
    const char *name; /* as in 'qemu-img -f' */

    /* How the names of its files end, where that is another word: people take
     * it for the name of the format. NULL follows the last. */
    const char *file_suffixes[FORMAT_FILE_SUFFIXES];

    /* How QEMU's probing recognises an image: by a magic, by a function, or by
     * the end of the file's name. */
    struct magic magic;
    format_probe *probe;
    const char *suffix;
    bool weak; /* to QEMU, a suffix says as much as the magic */

    /* Magics that QEMU does not probe for: what has one, at its start or at the
     * start of its last sector, is raw to QEMU, but may be in this format. */
    struct magic lookalike_start;
    struct magic lookalike_end;

    format_open *open;      /* NULL: QEMU reads the format */
    format_names *names;    /* NULL: an image records no names */
    const char *descriptor; /* a file beside an image that names the others of
                             * its disk, which QEMU leaves out; or NULL */
    bool has_extents;       /* the names may be those of extents, which QEMU can
                             * follow to servers */
};

/* All formats. */
extern const struct format formats[];
extern const size_t format_count;

/* The format of this name. NULL if there is none: QEMU has drivers that are not
 * image formats, too. */
const struct format *format_find(const char *name);

/* The format that the user may mean by a word that is not the name of one: the
 * name in upper case, or a file suffix, for which *suffix is not NULL. NULL if
 * there is none. */
const struct format *format_meant_by(const char *word, const char **suffix);

/* Whether images of a format are read without QEMU. The name may be that of no
 * format. */
bool format_is_native(const char *name);

/* Whether the first len bytes of a text have the magic. */
bool magic_matches(const struct magic *magic, const unsigned char *p,
                   size_t len);

/* The functions in the table. */
format_open raw_open;
format_probe qcow2_probe;
format_open qcow2_open;
format_names qcow2_names;
format_probe qcow_probe;
format_names qcow_names;
format_names qed_names;
format_open vdi_open;
format_open vhdx_open;
format_probe vmdk_probe;
format_open vmdk_open;
format_names vmdk_names;
format_open vpc_open;
format_names vpc_names;

#endif
