/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Open a disk, but only what is known to be a regular file or a block device.
 * Opening anything else has effects: the writer of a FIFO goes on, a tape is
 * rewound.
 */
#ifndef READER_OPEN_DISK_H
#define READER_OPEN_DISK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "common/error.h"

/* Whether a file of this mode, from stat(), may be a disk: a regular file or a
 * block device. */
bool may_be_disk(mode_t mode);

/* Whether a file is one of procfs, sysfs and the like. open_disk() refuses such
 * files; this is for those that QEMU opens. The file is not opened. */
bool is_made_by_kernel(const char *path);

/*
 * Open a disk for reading, and get its status. If a process holds a write lease
 * on the file, wait for it. name is for messages.
 */
int open_disk(const char *path, const char *name, int *fd, struct stat *st,
              struct error *error);

/*
 * Open the disk of a descriptor once more. Where that is impossible (no /proc,
 * no permission), *fd is a duplicate and *shared is true: offset, flags, locks
 * and leases are shared with whoever opened it.
 */
int open_disk_again(int descriptor, const char *name, int *fd, bool *shared,
                    struct stat *st, struct error *error);

#endif
