/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rank 0: it hands out images and slices to all ranks, as they are done with
 * the last ones, and puts together what they find.
 */
#ifndef MPI_COORDINATOR_H
#define MPI_COORDINATOR_H

#include "cli/list-write.h"
#include "cli/options.h"
#include "mpi/comm.h"

struct coordinator;

/* The images are those of the names; with --diff, there is one pair. list:
 * where the digests of the only image go, or NULL. */
struct coordinator *coordinator_new(const struct options *o,
                                    struct list_write *list, char **names,
                                    uint64_t count, size_t md_size);

/* A message to rank 0, which is the coordinator's then. */
void coordinator_take(struct coordinator *c, const struct comm_message *m);

/* Do what can be done at once, but not much at a time. may_open: images may be
 * opened now, as no engine runs in this process. False: nothing. */
bool coordinator_step(struct coordinator *c, bool may_open);

/* Whether all images are printed. */
bool coordinator_is_done(const struct coordinator *c);

/* Tell all ranks to stop. Returns the exit status. */
int coordinator_end(struct coordinator *c);

#endif
