/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>

/* Flush stdout, so that each line appears when it is known. On a write error,
 * print a message and exit: later writes would fail as well. */
void output_flush(void);

/* Close stdout at the end: a file may report its errors only then. False: a
 * message was printed. */
bool output_close(void);

#endif
