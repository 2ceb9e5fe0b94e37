/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The locks by which QEMU processes tell each other how they use an image.
 */
#ifndef READER_LOCK_H
#define READER_LOCK_H

#include <stdbool.h>

#include "common/error.h"

/*
 * Lock a file as a reader, until its descriptor is closed. EBUSY: another
 * process uses it as a writer; force_share ignores that. Where the file system
 * has no such locks, none are taken.
 */
int lock_as_reader(int fd, const char *name, bool force_share,
                   struct error *error);

/* Release the locks, where closing the descriptor does not: others share the
 * open file. */
void lock_release(int fd);

#endif
