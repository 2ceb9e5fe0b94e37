/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_CHECKSUM_H
#define CLI_CHECKSUM_H

#include "cli/options.h"

/* The checksum of one image, and what else is known of it. */
struct checksum {
    const char *name;
    struct engine_input
        input; /* its image is open, unless there was an error */
    struct engine_result result;
    double seconds;
    struct error error; /* why there is no result */
};

/* Block SIGUSR1, so that it comes only while a checksum is computed, and set
 * its handler. Before any thread is started. */
void checksum_catch_signals(void);

/* Standard input is read by others: what is no file is no image then. */
void checksum_take_stdin(void);

/* Compute the checksum of one image; "-" is standard input. The error is left
 * to the caller to print. */
int checksum_begin(struct checksum *c, const struct options *o,
                   const char *name);

/* Close the image, and clear the error. */
void checksum_end(struct checksum *c);

#endif
