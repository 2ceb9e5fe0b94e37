/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The progress of a disk that several ranks hash. It is shown while all images
 * before it are done.
 */
#ifndef MPI_DISK_PROGRESS_H
#define MPI_DISK_PROGRESS_H

#include "cli/options.h"
#include "mpi/disk.h"

/* All zeros at first. */
struct disk_progress {
    bool shown;
    uint64_t index; /* of the image */
    struct engine_progress done;
    int64_t drawn; /* when, in ms */
};

/* Show the progress of a disk (NULL: none), if it is time to. */
void disk_progress_show(struct disk_progress *p, const struct options *o,
                        const struct disk *d);

/* An image is over. */
void disk_progress_end(struct disk_progress *p, uint64_t index, bool done);

#endif
