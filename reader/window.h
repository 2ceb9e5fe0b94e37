/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A window is the part of a file that one thread has mapped, to hash bytes in
 * place in the page cache. Copying them costs more than a third of the time
 * that hashing takes.
 *
 * A page of a mapped file can be gone when it is touched: the file was
 * truncated, or the disk failed. The kernel then sends SIGBUS, and the signal
 * handler in window.c puts zeros in the place of the page and marks the window
 * as failed. Results that were computed from it must be discarded if
 * window_failed() returns true; a read then tells the cause.
 *
 * The handler is installed with the first window, for the whole process. A
 * SIGBUS that has another cause, or that a process sent, ends this process as
 * it would without the handler. Threads that use windows must not block SIGBUS.
 */
#ifndef READER_WINDOW_H
#define READER_WINDOW_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader;

struct window {
    const struct reader *reader; /* whose bytes these are; NULL: none */
    unsigned char *base;
    uint64_t offset;
    size_t length;
    volatile sig_atomic_t failed;
    struct window *next; /* of the same thread */
};

/* A window is all zeros at first, and belongs to the thread that uses it. A
 * thread may have several. */

/*
 * The address of len bytes at an offset of a file. NULL: they cannot be mapped,
 * or only by moving the window, which keep forbids: addresses that were
 * returned before are still in use.
 */
const unsigned char *window_get(struct window *w, const struct reader *reader,
                                int fd, uint64_t offset, size_t len, bool keep);

/* Whether pages were missing since the last call. */
bool window_failed(struct window *w);

void window_close(struct window *w);

#endif
