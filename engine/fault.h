/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ENGINE_FAULT_H
#define ENGINE_FAULT_H

#include "reader/reader.h"

/* A read came back short. If it failed, look for the first byte that cannot be
 * read: all before it is in the buffer then, and counts as done. */
void find_fault(struct read *read);

/* Say why the byte after those that are done is not there. Returns the errno
 * value. */
int read_fault(const struct read *read, struct error *error);

#endif
