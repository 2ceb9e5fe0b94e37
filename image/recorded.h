/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of other files that an image records. Whoever made the image, or the
 * guest that wrote it, chose them; the user did not. So they may only be names
 * of plain files, which are regular files and block devices. Any other name is
 * followed only with --trust-names.
 */
#ifndef IMAGE_RECORDED_H
#define IMAGE_RECORDED_H

#include "common/error.h"

/* Set the error for a name that is not that of a plain file. image is the image
 * that records it, what is "backing file" or the like. */
int recorded_refuse(const char *image, const char *what, const char *name,
                    struct error *error);

/* Set the error for a relative name in an image that is in no directory. */
int recorded_no_place(const char *image, const char *what, const char *name,
                      struct error *error);

/* Check the format that an image records for a file; NULL is accepted. QEMU
 * accepts any driver there, including those that do something. Only formats are
 * accepted here. */
int recorded_check_format(const char *image, const char *what,
                          const char *format, struct error *error);

/* Check that a path does not lead to what a process has open: QEMU has other
 * files open than this process. */
int recorded_check_path(const char *image, const char *what, const char *path,
                        struct error *error);

/* The path of a recorded name, which is relative to the directory of base, the
 * path of the image. The caller frees *path. ENOMEM is the only error. */
int recorded_path(const char *base, const char *name, char **path);

#endif
