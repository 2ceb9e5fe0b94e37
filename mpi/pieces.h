/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pieces of a disk that are cut and not committed yet, in the order of the
 * disk. Rank 0 commits the first one when its digests are there.
 */
#ifndef MPI_PIECES_H
#define MPI_PIECES_H

#include "mpi/digest-runs.h"

enum piece_state {
    PIECE_HOLE,   /* runs.count blocks of zeros are left of it */
    PIECE_OUT,    /* a rank hashes it */
    PIECE_DONE,   /* runs has the digests */
    PIECE_FAILED, /* error says why */
};

struct held_piece {
    enum piece_state state;
    size_t room; /* bytes of memory, the most that it may take, or that it
                  * takes */
    unsigned char *data; /* the message that the runs are in */
    struct runs runs;
    char *error;  /* for the user */
    bool changed; /* the image, and that is the error */
};

/* A row of pieces, each of which has a number. All zeros at first. */
struct pieces {
    struct held_piece *all;
    size_t first, end, room; /* those from first to end are held */
    uint64_t number;         /* of all[0] */
};

/* Add a piece at the end. NULL when out of memory. The pointer is valid until
 * the next call. */
struct held_piece *pieces_add(struct pieces *p, uint64_t *number);

/* The first and the last piece; NULL: none is held. */
struct held_piece *pieces_first(const struct pieces *p);
struct held_piece *pieces_last(const struct pieces *p);

/* The piece of a number, or NULL if it is not held any more. */
struct held_piece *pieces_find(const struct pieces *p, uint64_t number);

void pieces_remove_first(struct pieces *p);

void pieces_free(struct pieces *p);

#endif
