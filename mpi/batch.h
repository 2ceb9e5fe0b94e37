/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Images that one rank hashes alone, one after the other: small ones, or of
 * very many.
 */
#ifndef MPI_BATCH_H
#define MPI_BATCH_H

#include "cli/options.h"
#include "engine/engine.h"
#include "mpi/wire.h"

struct batch;

/* Begin with a message, which is the batch's then, and of which it has read the
 * kind. */
struct batch *batch_begin(const struct options *o, unsigned char *data,
                          struct wire_rest message);

/* The engine has finished, or there is none: go on with the next image.
 * *engine: what hashes it; NULL: nothing does, so call this again. After the
 * last image, or some time, send the results and free the batch: false. */
bool batch_step(struct batch *b, struct engine **engine);

#endif
