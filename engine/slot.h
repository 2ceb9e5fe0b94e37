/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The nouns that plan, worker and ring share.
 *
 * A slot is a place in the ring: a range of the guest's disk in terms of the
 * checksum, runs of zero blocks and blocks of data, and room for the digests of
 * the data. Slots are committed in the order in which they were planned.
 *
 * A job is what a worker needs to get there: a buffer, and the reads that fill
 * it. The buffer belongs to the worker, which takes the one that it used last,
 * so that data comes and goes in the worker's own cache.
 *
 * What is read beside the slot's own bytes is up to the image and the server:
 * compressed clusters, and what lies around small pieces where reads must be
 * aligned. So the reads of a job are done in rounds, of which each needs little
 * memory. One round does for most jobs.
 */
#ifndef ENGINE_SLOT_H
#define ENGINE_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "reader/reader.h"

/* Enough that data which alternates with holes fills the buffer: each run has
 * at least a block, and a buffer of default size 16 of them. */
#define SLOT_RUNS 64

/* A slot ends after about so many reads, however small: this bounds the time
 * under the lock. */
#define SLOT_READS 64

/* Zero blocks, and blocks of data after them; either may be 0. */
struct run {
    uint64_t zero_blocks;
    size_t data_blocks; /* the last of the image may be short */
};

struct slot {
    uint64_t number; /* of slots before it */
    uint64_t length; /* of the guest's disk, in bytes */
    uint64_t hole;   /* the part of length in runs of zero blocks */
    struct run runs[SLOT_RUNS];
    unsigned run_count;
    unsigned char *mds; /* NULL before its first use */
    bool hashed;        /* under the ring's lock */
};

/* A part of a compressed cluster, and where in the buffer it goes. */
struct job_cluster {
    struct extent extent;
    size_t at;
    size_t read; /* which read of the job has the compressed bytes */
};

struct job {
    struct slot *slot;
    unsigned char *buf;
    const unsigned char **blocks; /* where each block is: in buf, or mapped */
    size_t capacity;              /* whole blocks */
    size_t populated;             /* bytes of buf that were written before */
    size_t len; /* data, packed: the zero blocks have no place */
    struct read *reads;
    size_t read_count, read_room;
    size_t round, round_end;      /* the reads of this round */
    size_t reads_left;            /* in flight */
    struct job_cluster *clusters; /* compressed ones */
    size_t cluster_count, cluster_room;
    size_t clusters_done; /* decoded */
    unsigned char
        *input; /* the compressed bytes of the clusters of this round */
    size_t input_room;
    struct error fault; /* why it could not be planned further, if any */
    struct job *next;   /* free in a worker */
};

/* Add blocks to the runs of a slot; there must be room for one more run. */
void slot_add_data(struct slot *slot, size_t blocks);
void slot_add_zero(struct slot *slot, uint64_t blocks);

/* What is hashed: an image or a pipe. next() is called by one thread at a
 * time. */
struct source {
    /*
     * Plan the next slot, and the reads of the job, or the data itself. Both
     * come empty; a slot of length 0 is the end. 0 or a positive errno value:
     * the reads planned so far are those before the fault, and there is no next
     * call.
     */
    int (*next)(struct source *source, struct slot *slot, struct job *job,
                struct error *error);
    void (*free)(struct source *source);
    const char *name;
    size_t block_size;
    uint64_t size; /* 0: not known before the end */
};

int image_source_new(struct image *image, size_t block_size,
                     struct source **source);
int pipe_source_new(const struct engine_input *input, size_t block_size,
                    struct source **source);

/* Add the read of a DATA or ZERO extent to a job, joined to the last one where
 * both lie in a row. For zeros there is nothing to read, and no reader. ENOMEM
 * is the only error. */
int job_add_read(struct job *job, const struct extent *extent);

/* Add a part of a compressed cluster to a job, to be decoded. Its read is
 * joined to the one before where they touch. ENOMEM is the only error. */
int job_add_cluster(struct job *job, const struct extent *extent);

/* The memory of the list of reads, for blocks of this size, and of the list of
 * clusters, for slots of this size. */
size_t job_list_size(size_t block_size);
size_t job_cluster_list_size(size_t slot_size);

/* The most memory that a round of one read can need, of a cluster of this size.
 */
size_t job_min_round(size_t cluster_size);

/* Take the next reads into a round that needs so many bytes of memory, and give
 * those of compressed bytes their part of it. A single read may need more.
 * ENOMEM is the only error. */
int job_next_round(struct job *job, size_t size);

/* Whether no round follows. */
static inline bool job_is_last_round(const struct job *job)
{
    return job->round_end == job->read_count;
}

/* Whether all bytes of a cluster are there, as far as its object goes. */
bool job_has_input(const struct job *job, const struct job_cluster *cluster);

/* Keep the first one of two, where both are in one object. */
void false_hole_merge(struct false_hole *hole, const struct false_hole *other);

#endif
