/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options of disksum-mpi: most of those of disksum, and some of its own.
 */
#ifndef MPI_OPTIONS_H
#define MPI_OPTIONS_H

#include "cli/option-set.h"
#include "cli/options.h"

/* The options of its own. */
extern const struct option_group mpi_options;

/* Check what disksum allows, and many ranks do not. False: a usage message was
 * printed. */
bool mpi_options_verify(const struct options *o);

/* Print all options, one on a line. */
void mpi_help_print(void);

#endif
