/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Paths that lead to what a process has open, through a link in /proc:
 * /proc/self/fd/3, /proc/self/cwd/disk, /dev/stdin. They mean another file to
 * each process, so no image may name one.
 */
#ifndef READER_PROC_LINK_H
#define READER_PROC_LINK_H

#include <stdbool.h>

bool has_proc_link(const char *path);

#endif
