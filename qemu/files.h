/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files that QEMU has open for an image: all of its chain, whatever names
 * them.
 */
#ifndef QEMU_FILES_H
#define QEMU_FILES_H

#include <sys/types.h>

#include "reader/reader.h"

struct qemu_files {
    struct reader **list;
    size_t count;
};

/*
 * Open the files and block devices that a process of QEMU's has open, and so
 * take the locks of a reader: qemu-nbd lets others write what qemu-img would
 * refuse. An error (EBUSY) when somebody writes one. What cannot be looked at,
 * as where there is no /proc, is left out, and so is the file of `known`, which
 * may be NULL.
 */
int qemu_files_open(pid_t pid, const char *name, bool force_share,
                    const struct reader *known, struct qemu_files **files,
                    struct error *error);

/* NULL is accepted. */
void qemu_files_close(struct qemu_files *files);

#endif
