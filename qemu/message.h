/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef QEMU_MESSAGE_H
#define QEMU_MESSAGE_H

/* Both modify the messages of qemu-nbd. The caller frees the text, which is one
 * line; NULL if there is none. */

/*
 * Find the reason why an image could not be opened, with its hints, but without
 * the argument of qemu-nbd (file) and the name of the image. format: that of
 * the image, or NULL if the user has described the image.
 */
char *qemu_message(char *messages, const char *file, const char *name,
                   const char *format);

/* Find what may explain that the image is open and cannot be read. */
char *qemu_complaint(char *messages);

#endif
