/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_ESTIMATE_H
#define CLI_ESTIMATE_H

#include "engine/engine.h"

/*
 * Seconds that are left, after some seconds of work: by the bytes that are
 * still to be read, for holes cost next to nothing. allocated: bytes of the
 * whole disk that are no hole, about; 0: not known. Negative: nobody can tell.
 */
double estimate_left(const struct engine_progress *progress, uint64_t allocated,
                     double seconds);

#endif
