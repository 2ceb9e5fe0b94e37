/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One of the two that are compared: an image, or a digest list.
 */
#ifndef CLI_DIFF_SIDE_H
#define CLI_DIFF_SIDE_H

#include "cli/list-input.h"
#include "cli/options.h"

struct diff_side {
    const char *name;
    bool is_list;
    struct engine_input input; /* of an image */
    struct list_input list;
    size_t warnings; /* that were printed */
};

/* Open the one with the name n. The names must stay in place. Close it also
 * after an error. */
int diff_side_open(struct diff_side *side, const struct options *o,
                   char *const names[2], int n, struct error *error);
void diff_side_close(struct diff_side *side);

/* Print the warnings that are new. */
void diff_side_warn(struct diff_side *side, const struct options *o);

/* The length of the disk. False: it is not known before the end. */
bool diff_side_length(const struct diff_side *side, uint64_t *length);

#endif
