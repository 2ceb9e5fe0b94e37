/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef MPI_RESULT_H
#define MPI_RESULT_H

#include "cli/checksum.h"

/* What is printed of an image whose checksum is known, or, as JSON, of one that
 * failed. With --zero, the text ends where the NUL is printed. For free(); NULL
 * when out of memory. */
char *result_text(const struct options *o, const struct checksum *c);

#endif
