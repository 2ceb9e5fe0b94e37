/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Three kinds of queues for the reads of files. file.c chooses one.
 */
#ifndef READER_QUEUES_H
#define READER_QUEUES_H

#include "reader/reader.h"

/* ahead.c: for buffered files. The kernel reads ahead (will_need()), and reap()
 * copies from the page cache (read_rest()). */
int ahead_queue_new(struct read_queue **queue);

/* ring.c: io_uring, for readers over a file descriptor (reader/pread.h). It
 * fails (EPERM, ENOSYS, ENOMEM, ...) where the kernel or a seccomp filter
 * refuses io_uring. */
int ring_queue_new(unsigned depth, struct read_queue **queue);

/* threads.c: depth threads, each of which waits for one read. */
int threads_queue_new(unsigned depth, struct read_queue **queue);

#endif
