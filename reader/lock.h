/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The locks by which processes of QEMU tell each other what they do with an
 * image.
 */
#ifndef READER_LOCK_H
#define READER_LOCK_H

#include <stdbool.h>

#include "common/error.h"

/*
 * Lock a file as a reader, until its descriptor is closed. An error (EBUSY)
 * when another process writes it, unless force_share is set. Where the file
 * system knows no such locks there are none.
 */
int lock_as_reader(int fd, const char *name, bool force_share,
                   struct error *error);

/* Give the locks back before that: others have the same open file. */
void lock_release(int fd);

#endif
