/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef QEMU_MESSAGE_H
#define QEMU_MESSAGE_H

/*
 * Find the reason for a failure in the messages of qemu-nbd, which are
 * modified. The reason is one line, without the argument of qemu-nbd (file) and
 * the name of the image. The caller frees it. NULL if there is none.
 */
char *qemu_message(char *messages, const char *file, const char *name);

#endif
