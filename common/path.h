/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of images as QEMU understands them: a path, or a protocol and what that
 * takes.
 */
#ifndef COMMON_PATH_H
#define COMMON_PATH_H

/* A name that QEMU would hand to another protocol than "file": NULL, or else
 * the path after an optional "file:". */
const char *path_of_name(const char *name);

/* A path that path_of_name() gave, written so that nobody takes it for a name
 * with a protocol, or "file:". The caller frees it. NULL when out of memory. */
char *plain_path(const char *path);

#endif
