/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of the kernel, such as those below /proc and /sys. The kernel makes
 * their content when they are read, which may wait for ever, or remove what was
 * read (/proc/kmsg), so no image may name one.
 */
#ifndef READER_PSEUDO_FILE_H
#define READER_PSEUDO_FILE_H

#include <stdbool.h>

/* Looks at the file system of a path. The file is not opened. */
bool is_pseudo_file(const char *path);

#endif
