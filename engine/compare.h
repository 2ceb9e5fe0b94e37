/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The comparison of a pair of jobs whose bytes are all there.
 */
#ifndef ENGINE_COMPARE_H
#define ENGINE_COMPARE_H

#include "engine/hash.h"
#include "engine/job.h"

/* Compare the two sides of a pair. In the place of a digest, the slot gets a
 * byte for each sector: an enum difference_kind. */
void compare_job(struct job *job, struct found *found);

#endif
