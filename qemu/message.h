/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef QEMU_MESSAGE_H
#define QEMU_MESSAGE_H

/*
 * The reason that qemu-nbd gives in its messages for a failure, in one line; to
 * be freed. file is what it was given, name the image's own name in it, which
 * are both left out. NULL: none is found.
 */
char *qemu_message(char *messages, const char *file, const char *name);

#endif
