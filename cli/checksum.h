/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_CHECKSUM_H
#define CLI_CHECKSUM_H

#include <stdbool.h>

#include "cli/options.h"

/* Block SIGUSR1, so that it comes only while checksum() waits, and set its
 * handler. Before any thread is started. */
void checksum_catch_signals(void);

/* Compute the checksum of one image; "-" is standard input. On an error a
 * message is printed. */
bool checksum(const struct options *o, const char *name,
              struct engine_result *result);

#endif
