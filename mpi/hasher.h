/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a rank does: it opens images, and hashes slices of large ones and all of
 * small ones, as rank 0 says. The threads that hash are those of an engine;
 * whoever owns a hasher exchanges messages meanwhile.
 */
#ifndef MPI_HASHER_H
#define MPI_HASHER_H

#include "cli/options.h"
#include "mpi/comm.h"

struct hasher;

/* md_size: that of a digest. The options stay the caller's. */
struct hasher *hasher_new(const struct options *o, size_t md_size);

/* Add a message of rank 0 to what there is to do, in this order. The message is
 * the hasher's then. */
void hasher_add(struct hasher *h, const struct comm_message *m);

/* Do what can be done at once, but not much at a time. False: nothing. */
bool hasher_step(struct hasher *h);

/* Readable when an engine has finished; -1: none runs. */
int hasher_fd(const struct hasher *h);

void hasher_free(struct hasher *h);

#endif
