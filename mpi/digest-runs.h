/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The digests of a slice of a disk, in order, as runs: of blocks of zeros,
 * which are a number, and of digests. A rank collects them, and rank 0 gives
 * them to the sinks of the disk.
 */
#ifndef MPI_DIGEST_RUNS_H
#define MPI_DIGEST_RUNS_H

#include "list/sink.h"
#include "mpi/wire.h"

/* A sink that writes the runs into a message. */
struct runs_sink {
    struct sink sink;
    struct wire *wire;
    size_t md_size;
    const char *name; /* of the image, for messages */
    uint64_t blocks;  /* that were written */
    bool digests;     /* the last run is one of digests */
    uint64_t count;   /* of its blocks; 0: there is no run yet */
    size_t start;     /* where it is in the message */
};

void runs_sink_init(struct runs_sink *s, struct wire *wire, size_t md_size,
                    const char *name);

/* So many blocks of zeros take a root some milliseconds: root_sink_new(). */
#define MAX_ZEROS (256 * 1024)

/* Runs that are read. */
struct runs {
    struct wire_rest rest;
    size_t md_size;
    bool digests;   /* the current run is one of digests */
    uint64_t count; /* what is left of it */
};

/* Give the next run to each sink, but not more zeros than a root takes in some
 * milliseconds. *blocks: how many there were; 0: there is none left. */
int runs_give(struct runs *r, struct sink *const *sinks, size_t sink_count,
              uint64_t *blocks, struct error *error);

/* Likewise, for up to `count` blocks of zeros. */
int runs_give_zeros(uint64_t count, struct sink *const *sinks,
                    size_t sink_count, uint64_t *blocks, struct error *error);

#endif
