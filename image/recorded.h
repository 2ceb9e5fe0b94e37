/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of other files that stand in an image. Whoever made the image, or the
 * guest that wrote it, chose them; the user did not. So they may name plain
 * files alone, regular files and block devices, and everything else is followed
 * only when the user says so.
 */
#ifndef IMAGE_RECORDED_H
#define IMAGE_RECORDED_H

#include "image/image.h"

/* Set the error for a recorded name that is not followed without
 * --trust-names. image: which has the name; what: "backing file" or the like.
 */
int recorded_refuse(const char *image, const char *what, const char *name,
                    struct error *error);

/* The same for a relative name in an image that is in no directory. */
int recorded_no_place(const char *image, const char *what, const char *name,
                      struct error *error);

/* An image records a format for a file. QEMU takes any driver for one, also
 * those that do something; none but the formats of images is accepted. */
int recorded_check_format(const char *image, const char *what,
                          const char *format, struct error *error);

/* The path of a recorded name: relative to the directory of the image that has
 * it, whose path is base. The caller frees *path. */
int recorded_path(const char *base, const char *name, char **path);

/* Whether images of a format can have names in them. */
bool recorded_has_names(const char *format);

/*
 * QEMU is about to open an image, and follows what stands in it: look before it
 * does. The reader has the image, path is where it is (with a protocol, or
 * NULL: in no directory), and format the format. All names in it, and in what
 * they name, must be plain files. With options->trust_names they need
 * not be, and *foreign says whether one is not.
 */
int recorded_check(struct reader *reader, const char *path, const char *format,
                   const struct image_options *options, bool *foreign,
                   struct error *error);

/* The same for all files in an option string, or in a name that begins with
 * json:. */
int recorded_check_description(const char *text, bool is_json,
                               const struct image_options *options,
                               bool *foreign, struct error *error);

#endif
