/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of several images are hashed by one rank, and which are large. Nobody
 * knows before an image is open, so images are handed out in batches: the rank
 * hashes those that are small, and reports the others.
 */
#ifndef MPI_SURVEY_H
#define MPI_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include "mpi/wire.h"

/* Images that nobody has looked at: those that a rank gave back, and all from
 * `next` on. */
struct survey {
    char **names;
    uint64_t count, next;
    int ranks;
    struct range {
        uint64_t first, count;
    } * returned;
    uint64_t returned_count;
};

void survey_begin(struct survey *s, char **names, uint64_t count, int ranks);

/* Hand out a batch to a rank. False: nobody has to look at more. */
bool survey_give(struct survey *s, int rank);

/* A rank has done the first images of a batch of `count`. */
void survey_take(struct survey *s, uint64_t first, uint64_t done,
                 uint64_t count);

/* Whether all images that are left are with a rank. */
bool survey_is_handed_out(const struct survey *s);

void survey_free(struct survey *s);

#endif
