/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Three ways to keep reads of files in flight. file.c chooses.
 */
#ifndef READER_FILE_H
#define READER_FILE_H

#include "reader/reader.h"

/* What direct I/O wants offsets, lengths and memory to be multiples of. Enough
 * for every device whose sectors fit a page. */
#define DIRECT_ALIGNMENT 4096

/* Whether direct I/O can read len bytes at offset into buf. */
static inline bool is_direct(uint64_t offset, size_t len, const void *buf)
{
    return (offset | len | (uintptr_t)buf) % DIRECT_ALIGNMENT == 0;
}

/* The descriptor behind a reader of file.c. */
int file_fd(const struct reader *r);

/*
 * Read the rest of a read, waiting for it. The result is in the read. With
 * direct I/O, what is not aligned goes through memory that is.
 */
void file_read_rest(struct read *read);

/* ahead.c: buffered. The kernel reads ahead; reap() copies from its cache. */
int ahead_queue_new(struct read_queue **queue);

/* ring.c: io_uring. An error (EPERM, ENOSYS, ENOMEM, ...) where the kernel, or
 * a filter before it, refuses one. */
int ring_queue_new(unsigned depth, struct read_queue **queue);

/* threads.c: depth threads that wait, one for each read in flight. */
int threads_queue_new(unsigned depth, struct read_queue **queue);

#endif
