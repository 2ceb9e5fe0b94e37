/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>

/* Hand to stdout what was printed: each line when it is known. On a write
 * error the program ends with a message: once is enough. */
void output_flush(void);

/* At the end: stdout may be a file that reports its errors only now. */
bool output_close(void);

#endif
