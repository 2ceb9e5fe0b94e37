/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A job is what a worker needs to hash a slot: a buffer, and the reads that
 * fill it. The buffer belongs to the worker, which takes the one that it used
 * last, so that data comes and goes in the worker's own cache.
 *
 * How much is read beyond the slot's own bytes depends on the image and the
 * server: compressed clusters, and what lies around small pieces where reads
 * must be aligned. So the reads of a job are done in rounds, each of which
 * needs little memory. Most jobs have one round.
 */
#ifndef ENGINE_JOB_H
#define ENGINE_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "engine/slot.h"
#include "format/extent.h"
#include "reader/reader.h"

/* A slot ends after about this many reads, however small: this bounds the time
 * under the plan lock. */
#define JOB_READS 64

/* A part of a compressed cluster, and where in the buffer it goes. */
struct job_cluster {
    struct extent extent;
    size_t at;
    size_t read; /* which read of the job has the compressed bytes */
};

struct job {
    struct slot *slot;
    uint64_t number; /* of the slot, which has another one once committed */

    unsigned char *buf;
    size_t capacity;  /* whole blocks */
    size_t populated; /* bytes of buf that were written before */
    size_t len;       /* data, packed: the zero blocks have no place */
    const unsigned char **blocks; /* where each block is: in buf, or mapped */

    struct read *reads;
    size_t read_count, read_room;
    size_t round, round_end; /* the reads of this round */
    size_t reads_left;       /* in flight */

    struct job_cluster *clusters; /* compressed ones */
    size_t cluster_count, cluster_room;
    size_t clusters_done; /* decoded */
    unsigned char *input; /* compressed bytes of this round */
    size_t input_room;

    struct error fault; /* why it could not be planned further, if any */
    struct job *next;   /* free or held, in a pool */

    /* Two images are compared by pairs of jobs: the second image's bytes of the
     * slot, with the same packing. The fault of a pair is in the first job. */
    struct job *second; /* NULL: there is none */
    struct job *owner;  /* of the reads: the first job of a pair, or itself */
};

/* Make a job empty, for a slot, and the second one of its pair. Buffers and
 * lists keep their memory. */
void job_begin(struct job *job, struct slot *slot);

/* Free what a job has, but not the job itself. */
void job_free(struct job *job);

/* Add the read of a DATA or ZERO extent, joined to the last one where both lie
 * in a row. For zeros there is nothing to read, and no reader. ENOMEM is the
 * only error. */
int job_add_read(struct job *job, const struct extent *extent);

/* Add a part of a compressed cluster, to be decoded once for neighbouring
 * parts. Its read is joined to the one before where they touch. ENOMEM is the
 * only error. */
int job_add_cluster(struct job *job, const struct extent *extent);

/* --- rounds ------------------------------------------------------------- */

/* The memory of the list of reads, for blocks of this size, and of the list of
 * clusters, for slots of this size. */
size_t job_list_size(size_t block_size);
size_t job_cluster_list_size(size_t slot_size);

/* The most memory that a round of one read needs, of a cluster of this size. */
size_t job_min_round(size_t cluster_size);

/* Begin the next round: as many reads as need no more than `size` bytes of
 * memory, but at least one. Those of compressed bytes get their part of it.
 * ENOMEM is the only error. */
int job_next_round(struct job *job, size_t size);

/* Whether no round follows. */
static inline bool job_is_last_round(const struct job *job)
{
    return job->round_end == job->read_count;
}

/* Whether all bytes of a cluster are there, as far as its object goes. */
bool job_has_input(const struct job *job, const struct job_cluster *cluster);

#endif
