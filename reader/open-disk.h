/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a disk is opened: only what is known to be a regular file or a block
 * device. To open anything else does something: a FIFO lets go whoever waits
 * for a reader, a tape winds back.
 */
#ifndef READER_OPEN_DISK_H
#define READER_OPEN_DISK_H

#include <sys/stat.h>

#include "common/error.h"

/*
 * Open a disk by its name, for reading, and tell what it is. Whoever holds a
 * write lease on the file is waited for. name is for messages.
 */
int open_disk(const char *path, const char *name, int *fd, struct stat *st,
              struct error *error);

#endif
