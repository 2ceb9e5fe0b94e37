/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a disk is opened: only what is known to be a regular file or a block
 * device. To open anything else does something: a FIFO lets go whoever waits
 * for a reader, a tape winds back.
 */
#ifndef READER_OPEN_DISK_H
#define READER_OPEN_DISK_H

#include <stdbool.h>
#include <sys/stat.h>

#include "common/error.h"

/* Whether what stat() tells of may be a disk: a regular file or a block
 * device. */
bool may_be_disk(mode_t mode);

/*
 * Open a disk by its name, for reading, and tell what it is. Whoever holds a
 * write lease on the file is waited for. name is for messages.
 */
int open_disk(const char *path, const char *name, int *fd, struct stat *st,
              struct error *error);

/*
 * Open the disk that a descriptor is of once more. Where that cannot be, as
 * without /proc or the permission, *fd is a duplicate, and *shared is true:
 * offset, flags, locks and leases are also those of the one who opened it.
 */
int open_disk_again(int descriptor, const char *name, int *fd, bool *shared,
                    struct stat *st, struct error *error);

#endif
