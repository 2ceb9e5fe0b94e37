/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of images, as QEMU understands them: a path, or a protocol and its
 * arguments.
 */
#ifndef COMMON_PATH_H
#define COMMON_PATH_H

/* The path that a name stands for: the name, without "file:". NULL if the name
 * has another protocol. */
const char *path_of_name(const char *name);

/* Write a path from path_of_name() so that it cannot be taken for a name with
 * a protocol. The caller frees it. NULL when out of memory. */
char *plain_path(const char *path);

#endif
