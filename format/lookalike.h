/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What looks like more than a raw disk, but is read as one: the user may mean
 * the disk in it. Its bytes are hashed nevertheless, since a guest may have
 * written them, with a warning.
 */
#ifndef FORMAT_LOOKALIKE_H
#define FORMAT_LOOKALIKE_H

#include <stdbool.h>
#include <stddef.h>

/* What is recognised, and is no disk image: what people download, copy or store
 * disks in. The texts are parts of the warning. */
struct non_disk {
    const char *what;   /* "a gzip file" */
    const char *advice; /* how to come by the disk, as a command to the user */
    bool has_members;   /* an archive: the advice is for one that is a file */
};

/* A disk looks like one of these at most. */
struct lookalike {
    const char *format;              /* an image in this format; or NULL */
    const struct non_disk *non_disk; /* or this; or NULL */
};

static inline bool lookalike_found(const struct lookalike *l)
{
    return l->format || l->non_disk;
}

/* What is no disk image, but begins with these bytes. NULL: nothing is
 * recognised. */
const struct non_disk *non_disk_find(const unsigned char *start, size_t len);

/* Enough for the longest text, with its NUL. */
#define LOOKALIKE_TEXT 256

/* Where it was found. */
enum lookalike_place {
    LOOKALIKE_FILE,   /* or a device or an export: it can be read again */
    LOOKALIKE_PIPE,   /* which has neither formats nor members */
    LOOKALIKE_MEMBER, /* of an archive, whose own members cannot be read */
};

/* Write the warning, without a name. */
void lookalike_describe(const struct lookalike *l, enum lookalike_place place,
                        char text[LOOKALIKE_TEXT]);

#endif
