/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two disks that are compared (--diff), on rank 0. What ranks find are not
 * digests of blocks, but the kind of difference for each sector.
 */
#ifndef MPI_COMPARISON_H
#define MPI_COMPARISON_H

#include "cli/diff-print.h"
#include "cli/diff-side.h"
#include "engine/difference-sink.h"

struct comparison {
    struct diff_side sides[2];
    struct diff_printer printer;
    struct differences differences;
    struct difference_sink sink;
};

/* Open both images. Close it also after an error. */
int comparison_begin(struct comparison *c, const struct options *o,
                     char **names, struct error *error);

/* Whether it is known already that they differ, and no more is asked. */
bool comparison_is_over(const struct comparison *c);

/* All was compared, or enough: nobody may have changed the files. Print what is
 * left to print. */
int comparison_end(struct comparison *c, struct error *error);

void comparison_close(struct comparison *c);

#endif
