/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_CHECKSUM_H
#define CLI_CHECKSUM_H

#include "cli/list-write.h"
#include "cli/options.h"
#include "cli/sums.h"

/* The checksum of one image, and what else is known about it. */
struct checksum {
    const char *name;
    struct engine_input input; /* open, unless there was an error */
    struct engine_result result;
    bool matches; /* the checksum that the user expects, if any is */
    double seconds;
    struct error error; /* why there is no result */
};

/* Compute the checksum of one image; "-" is standard input. list: where
 * its digests go, or NULL. The caller prints the error. */
int checksum_begin(struct checksum *c, const struct options *o,
                   struct list_write *list, const char *name);

/* What is printed of it, for hash i of the options. */
struct sums_line checksum_line(const struct checksum *c,
                               const struct options *o, unsigned i);

/* Close the image, and clear the error. */
void checksum_end(struct checksum *c);

#endif
