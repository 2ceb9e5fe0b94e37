/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ENGINE_FAULT_H
#define ENGINE_FAULT_H

#include "reader/reader.h"

/* Where a read failed, find the first byte that cannot be read. All bytes
 * before it are in the buffer then, and count as done. */
void find_fault(struct read *read);

#endif
