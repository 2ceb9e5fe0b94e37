/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The identity of an image: what the header of a digest list says of the image
 * that was hashed, and whether an open image is still the same. It is a JSON
 * object, docs/digest-list.md has its keys.
 *
 * A file is the same if its file system, inode, size, mtime and ctime are: its
 * name is only for people. Of an export and of a block device, only the size is
 * known.
 */
#ifndef CLI_IDENTITY_H
#define CLI_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "image/image.h"

struct json_object;
struct sum_part;

/* More than an identity has, however long the chain and its names are. */
#define IDENTITY_MAX_SIZE (960 * 1024)

/* The keys of digests of long names have its name. */
#define IDENTITY_DIGEST "sha256"

/* An open image, or one layer with those below it. */
struct identity_of {
    const char *name;                    /* of the image, as the user gave it */
    const struct image *image;           /* NULL: it comes through a pipe */
    size_t layer;                        /* of the chain; 0: the image itself */
    const struct image_options *options; /* of layer 0 */
};

/* The text from the header of a list, which may be from anybody. */
struct identity_source {
    const char *list; /* its name, for messages */
    const char *text;
    size_t len;
};

/* The identity as an object, for json_free(). NULL when out of memory. */
struct json_object *identity_make(const struct identity_of *of);

/* Write the identity on one line. The caller frees the text, which ends with a
 * NUL. */
int identity_write(const struct identity_of *of, char **text, size_t *len,
                   struct error *error);

/* Wait until a file of the image, if it was changed just now, gets other times
 * when it is changed again. Before that, an identity does not tell its states
 * apart. What was read of the disk before does not count. */
void identity_settle(const struct identity_of *of);

/*
 * Check that a list is of this image. source is the text from its header, which
 * may be from anybody; list is the name of the list, for messages. ESTALE: the
 * image is another one, or has changed; the message names the first difference.
 * EINVAL: the text is not an identity.
 */
int identity_check(const struct identity_of *of, const char *list,
                   const char *source, size_t len, struct error *error);

/*
 * Check less: a guest may have written to the image since. But it must not be
 * another file, if that can be told: the file of the list is still there, under
 * its name. If it is the same file, its format and all files below it must be
 * what they were. EINVAL: the text is not an identity.
 */
int identity_check_file(const struct identity_of *of, const char *list,
                        const char *source, size_t len, struct error *error);

/*
 * Check that two lists are of the same image: of parts that were hashed one by
 * one, perhaps on several hosts. Where a file is does not count, since hosts
 * number their file systems as they like. ESTALE, EINVAL: likewise.
 */
int identity_compare(const struct identity_source *a,
                     const struct identity_source *b, struct error *error);

/*
 * Check that an open image is the one that another host has open: theirs is
 * what identity_write() gives there, with the name of the host in place of a
 * list. As in identity_compare(), it does not count where a file is.
 */
int identity_check_host(const struct identity_of *of,
                        const struct identity_source *theirs,
                        struct error *error);

/* Whether a change may stay unnoticed, since not all of the image is in
 * files. */
bool identity_is_weak(const struct identity_of *of);

/* The same of the image in a list. Returns 0 or ENOMEM. */
int identity_source_is_weak(const struct identity_source *source, bool *weak);

/* Which part of the image is in a list, for sum_part_clear(), also after an
 * error. A text that is not an identity is of the whole image. ENOMEM. */
int identity_source_part(const struct identity_source *source,
                         struct sum_part *part);

#endif
