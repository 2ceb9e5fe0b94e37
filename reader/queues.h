/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Three ways to keep reads in flight. file.c chooses one.
 */
#ifndef READER_QUEUES_H
#define READER_QUEUES_H

#include "reader/reader.h"

/* ahead.c: for buffered files. The kernel reads ahead (will_need()); reap()
 * copies from its cache (read_rest()). */
int ahead_queue_new(struct read_queue **queue);

/* ring.c: io_uring, for readers over a file descriptor (reader/pread.h). An
 * error (EPERM, ENOSYS, ENOMEM, ...) where the kernel, or a filter before it,
 * refuses one. */
int ring_queue_new(unsigned depth, struct read_queue **queue);

/* threads.c: depth threads that wait, one for each read in flight. */
int threads_queue_new(unsigned depth, struct read_queue **queue);

#endif
