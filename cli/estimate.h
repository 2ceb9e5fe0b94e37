/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_ESTIMATE_H
#define CLI_ESTIMATE_H

#include "engine/engine.h"

/* How long it takes to hash so many bytes, some of which are in holes, in bytes
 * that are read. */
double estimate_cost(uint64_t read, uint64_t hole);

/*
 * Estimate the seconds that are left, after some seconds of work, by the bytes
 * that are still to be read: a hole takes almost no time. allocated: about how
 * many bytes of the disk are not in a hole; 0: not known. The result is
 * negative if there is no estimate.
 */
double estimate_left(const struct engine_progress *progress, uint64_t allocated,
                     double seconds);

#endif
