/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Standard output. Its descriptor may be non-blocking, since whoever has the
 * other end can make it so, and stdio loses what it cannot write at once. So
 * nothing is printed to stdout but through this stream, which waits.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "common/error.h"

/* The stream. On a terminal, it is flushed after each line. */
FILE *output(void);

/* Whether it leads to a terminal: the stream has no descriptor to ask. */
bool output_is_terminal(void);

/* The terminal is one by which mpirun gets what it writes elsewhere: people do
 * not see what is written as it is. */
void output_is_forwarded(void);
bool output_is_seen(void);

/* Call one function before something is written, and the other one after it: a
 * bar on the same terminal must not be in the way. */
void output_surround(void (*before)(void), void (*after)(void));

/* Fails if a write has failed, and then nobody else tells of it: for whoever
 * writes much, and may be in any thread. */
int output_check(struct error *error);

/* Flush it, so that each line appears when it is known. On a write error,
 * print a message and exit: later writes would fail as well. */
void output_flush(void);

/* Close it at the end: a file may report its errors only then. False: a
 * message was printed. */
bool output_close(void);

#endif
