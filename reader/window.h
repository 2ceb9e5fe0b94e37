/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A window is the part of a file that one thread has mapped, to hash bytes
 * where they are in the page cache. A copy of them costs more than a third of
 * the time that hashing takes.
 *
 * A page of a mapped file can be gone when it is touched: the file was
 * truncated, or the disk does not give it. The kernel then sends SIGBUS, and
 * the handler of window.c puts zeros in the place of the page and makes a note.
 * What was computed from a window is worth nothing if window_failed() says so
 * afterwards; a read then tells the reason.
 *
 * The handler is installed with the first window, for the whole process. A
 * SIGBUS that has another cause, or that a process sent, ends this one as ever.
 * Threads that use windows must not block SIGBUS.
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
};

/* Every window, all zeros at first, belongs to the thread that uses it. */

/*
 * The address of len bytes at offset of a file. NULL: they cannot be mapped,
 * or only by moving the window, which keep forbids because addresses that were
 * given out before are still in use.
 */
const unsigned char *window_get(struct window *w, const struct reader *reader,
                                int fd, uint64_t offset, size_t len, bool keep);

/* Whether bytes were missing since the last call. */
bool window_failed(struct window *w);

void window_close(struct window *w);

#endif
