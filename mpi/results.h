/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is printed of each image, in the order in which the user named them.
 */
#ifndef MPI_RESULTS_H
#define MPI_RESULTS_H

#include "cli/options.h"

struct results;

/* The names and the options stay the caller's. */
struct results *results_new(const struct options *o, char **names,
                            uint64_t count);

/* An image is done, or has failed: one of them is given, and is freed. It is
 * printed once all before it are. */
void results_add(struct results *r, uint64_t index, char *text, char *error);

/* The first image that is not printed yet. */
uint64_t results_next(const struct results *r);

/* How many have failed. */
uint64_t results_failed(const struct results *r);

void results_free(struct results *r);

#endif
