/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What ranks warn of. Rank 0 prints it, with the host that has found it: each
 * warning of an image once, whatever number of ranks has it.
 */
#ifndef MPI_WARNINGS_H
#define MPI_WARNINGS_H

#include "cli/options.h"
#include "engine/engine.h"
#include "mpi/wire.h"

/* The warnings of an image that a rank writes into a message: those from number
 * first on. Returns how many the image has. NULL is accepted. */
size_t warnings_put(struct wire *w, const struct image *image, size_t first);

/* The false hole that a rank found, if any. */
void warnings_put_hole(struct wire *w, const struct false_hole *hole);

/* The warnings of an image, or of two that are compared, on rank 0. All zeros
 * at first. */
struct warnings {
    char **printed;
    size_t count;
    char *hole; /* the object that has it; NULL: there is none */
    char *hole_host;
    uint64_t hole_offset, hole_guest; /* of the first on the disk */
};

/* Print those of rank 0's own image. NULL is accepted. */
void warnings_print(struct warnings *ws, const struct options *o,
                    const struct image *image);

/* Take from a message of a host what was put: print warnings, or keep a false
 * hole, as the ones that come later may be before it on the disk. */
void warnings_take(struct warnings *ws, const struct options *o,
                   const char *host, struct wire_rest *message);
void warnings_take_hole(struct warnings *ws, const char *host,
                        struct wire_rest *message);

/* A fault has ended the run: forget the false hole. Whether the ranks have read
 * what is behind a fault, and which of it, is a matter of luck. */
void warnings_forget_hole(struct warnings *ws);

/* All is done: print the false hole. Frees what is in it. */
void warnings_end(struct warnings *ws, const struct options *o);

#endif
