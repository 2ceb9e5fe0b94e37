/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A slice of an open image: an engine hashes it, and rank 0 gets its digests.
 */
#ifndef MPI_SLICE_H
#define MPI_SLICE_H

#include "cli/options.h"
#include "engine/engine.h"
#include "mpi/open-images.h"
#include "mpi/wire.h"

struct slice;

/* Begin a slice, of which the message has the rest. *engine: what hashes it, or
 * NULL if that could not begin. */
struct slice *slice_begin(const struct options *o, struct open_image *image,
                          size_t md_size, struct wire_rest *message,
                          struct engine **engine);

/* The engine has finished: send the digests, or the error. Frees both. */
void slice_end(struct slice *s, struct engine *engine);

#endif
