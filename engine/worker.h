/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include "engine/cluster.h"
#include "engine/compare.h"
#include "engine/hash.h"
#include "engine/job-pool.h"
#include "engine/queues.h"
#include "engine/read-method.h"
#include "engine/ring.h"
#include "engine/sizes.h"
#include "reader/window.h"

/* A worker plans slots, keeps their reads in flight, and hashes or compares
 * them. Beside its own jobs it touches only the ring, through its functions. */
struct worker {
    struct ring *ring;
    const struct hashes *hashes;
    bool pairs;        /* compare them, instead of hashing */
    size_t round_size; /* memory for a round of reads */
    struct job_pool pool;
    unsigned in_flight; /* jobs */
    struct window windows[2];
    struct read_choice *choice; /* of the process */
    struct queues queues;
    struct cluster_decoder decoder;
    struct engine_counts counts;
    struct false_hole false_hole;
};

/* pairs: compare two images. Free with worker_free(), also after an error
 * (ENOMEM). */
int worker_init(struct worker *w, struct ring *ring, bool pairs,
                const struct sizes *sizes);
void worker_free(struct worker *w);

/* Work until nothing is left to do. Errors go to the ring. */
void worker_run(struct worker *w);

#endif
