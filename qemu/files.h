/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files that QEMU has open for an image: those of its chain, extents, and
 * any others that an option names.
 */
#ifndef QEMU_FILES_H
#define QEMU_FILES_H

#include <sys/types.h>

#include "reader/reader.h"

struct qemu_files {
    struct reader **list; /* each once, by their names */
    size_t count;
};

/*
 * Open the files and block devices that a qemu-nbd has open, and add them to
 * *files, which may be NULL. This locks them against writers, as qemu-img
 * would, but qemu-nbd does not. If a file is in use, the error is EBUSY. It is
 * an error if they cannot be found, because there is no /proc, or opened. The
 * file of `known`, which may be NULL, is left out. Close *files even after an
 * error.
 */
int qemu_files_open(pid_t pid, const char *name, bool force_share,
                    const struct reader *known, struct qemu_files **files,
                    struct error *error);

/* NULL is accepted. */
void qemu_files_close(struct qemu_files *files);

#endif
