/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A reader of a part of what another reader has: the member of an archive. Its
 * offsets begin at that part, and so do those in its messages, which have its
 * name. Reads are those of the other reader, by whatever means it has, with
 * another offset.
 */
#ifndef READER_SLICE_H
#define READER_SLICE_H

#include "reader/reader.h"

/*
 * Make a reader of `size` bytes from `base` on, which must be in the whole.
 * name is for messages. The whole is closed with the slice; on an error
 * (ENOMEM), it stays open.
 */
int slice_open(struct reader *whole, uint64_t base, uint64_t size,
               const char *name, struct reader **slice, struct error *error);

#endif
