/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include <inttypes.h>

#include "cli/options.h"

/* Data where a file reports a hole: its name, and the offset. */
#define FALSE_HOLE_WARNING                                                     \
    "%s: warning: found data at offset %" PRIu64                               \
    ", which was reported as a hole"

/* Handle SIGUSR1, and block it except while an engine runs. Do not block
 * SIGBUS, whatever was inherited. Call this before any thread starts. */
void run_catch_signals(void);

/* Print a message on SIGTERM, as blksum does, before it ends the process. */
void run_tell_of_termination(void);

/* Run an engine to its end, and show progress. */
int run_engine(const struct options *o, const struct engine_input *input,
               struct engine_result *result, struct error *error);

#endif
