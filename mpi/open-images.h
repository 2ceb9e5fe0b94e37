/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The images of which a rank hashes slices. Each rank opens them itself, and
 * makes sure that it sees what rank 0 sees.
 */
#ifndef MPI_OPEN_IMAGES_H
#define MPI_OPEN_IMAGES_H

#include "cli/options.h"
#include "mpi/wire.h"

struct open_image {
    uint64_t index;
    char *names[2];            /* the second: of what it is compared with, */
    struct image *other;       /* or NULL */
    struct engine_input input; /* not open after an error */
    size_t warned[2];          /* warnings that rank 0 has got */
    char *error;               /* for the user, with the host; NULL: none */
    struct open_image *next;
};

struct open_images {
    struct open_image *first;
};

/* Open an image as an OPEN message says. An error is kept in it. */
struct open_image *open_images_add(struct open_images *images,
                                   const struct options *o, uint64_t index,
                                   struct wire_rest *message);

/* The image, which is there. */
struct open_image *open_images_find(const struct open_images *images,
                                    uint64_t index);

void open_images_remove(struct open_images *images, uint64_t index);

/* An error as rank 0 prints it: with the name of this rank's host. For free();
 * NULL when out of memory. */
char *host_error(const struct error *error);

#endif
