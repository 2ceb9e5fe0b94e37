/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The digests of a job whose bytes are all there.
 */
#ifndef ENGINE_HASH_H
#define ENGINE_HASH_H

#include "engine/engine.h"
#include "engine/hashes.h"
#include "engine/job.h"

/* What was found in the bytes. */
struct found {
    size_t zeros; /* bytes in whole blocks of zeros */
    struct false_hole false_hole;
};

/* Compute the digests of a job's blocks, the last of which may be short, for
 * all hashes, into its slot. 0 or a positive errno value. */
int hash_job(const struct hashes *hashes, struct job *job, struct found *found);

/* Look for data in what was reported as holes. */
void find_false_holes(const struct job *job, struct found *found);

/* Keep the first one on the disk; of two in the same slot, `hole`. */
void false_hole_merge(struct false_hole *hole, const struct false_hole *other);

#endif
