/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The images that the user names: the operands, and the lines of a file.
 */
#ifndef MPI_NAMES_H
#define MPI_NAMES_H

#include "cli/options.h"

struct names {
    char **all;
    uint64_t count;
    char *text; /* the file, in which they are */
};

/* Get the names, on rank 0. Free them with names_free(), also after an error.
 */
int names_read(struct names *names, const struct options *o,
               struct error *error);

void names_free(struct names *names);

#endif
