/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The engine hashes an image or a pipe, or compares two images. Its worker
 * threads plan pieces of work, keep their reads in flight, and hash or compare
 * what they have read; see "From disk to checksum" in docs/architecture.md.
 *
 * Threads: one thread owns an engine. Only engine_progress() may be called by
 * another thread at the same time.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "blkhash.h"
#include "common/error.h"
#include "common/units.h"
#include "format/lookalike.h"
#include "image/image.h"
#include "list/difference.h"
#include "list/known.h"
#include "list/sink.h"

#define ENGINE_MAX_THREADS 256
#define ENGINE_MAX_QUEUE_DEPTH 256
#define ENGINE_MIN_READ_SIZE (4 * KiB)
#define ENGINE_MAX_READ_SIZE (64 * MiB)

/* A checksum to compute. Of two block sizes, one must divide the other. */
struct engine_hash {
    const char *digest;
    size_t block_size; /* 0: the digest of all bytes in one stream */
};

#define ENGINE_MAX_HASHES 16

struct engine_options {
    unsigned threads;     /* workers; fewer for a small image */
    unsigned queue_depth; /* slots in flight for each worker */
    size_t read_size;     /* bytes of data in a slot, at least the largest
                           * block */
    struct engine_hash hashes[ENGINE_MAX_HASHES];
    unsigned hash_count; /* at least 1 */
};

/* The defaults for this machine. */
void engine_default_options(struct engine_options *options);

/* Whether a hole takes as long as data: a plain digest has each byte of it. */
bool engine_hashes_holes(const struct engine_options *options);

/* Bytes of the guest's disk; data + zero + hole + known is its size, or that of
 * the part. Of two disks that are compared, it is the size of the shorter
 * one. */
struct engine_counts {
    uint64_t data;    /* hashed, or compared */
    uint64_t zero;    /* whole blocks of zeros that were read */
    uint64_t hole;    /* whole blocks known to be zeros, or equal, without a
                       * read */
    uint64_t known;   /* their digests were known, zeros or not */
    uint64_t read;    /* bytes that were read from host objects */
    uint64_t decoded; /* the part of data and zero that was compressed */
};

/* Data where a host object reports a hole. */
struct false_hole {
    const char *name; /* of the object; NULL: there is none */
    uint64_t offset;  /* of the first byte, in the object */
    uint64_t guest;   /* where the slot that has it begins on the disk */
};

struct engine_sum {
    unsigned char md[BLKHASH_MAX_MD_SIZE];
    unsigned md_len; /* 0: only a part was hashed */
};

struct engine_result {
    struct engine_sum sums[ENGINE_MAX_HASHES]; /* of the hashes */
    uint64_t length;                           /* of the whole disk */
    struct engine_counts counts;
    struct false_hole false_hole; /* the first one on the disk */
    unsigned threads;             /* that hashed it */
    bool changed;                 /* an error: the image, while it was hashed */
    struct lookalike lookalike;   /* of a pipe */
};

struct engine;

/* What to hash: an image, or, where that is NULL, everything that can be read
 * from fd, as a raw image. */
struct engine_input {
    struct image *image;
    int fd;
    bool probe;        /* fd: refuse other formats that are recognised, and
                        * find what it looks like */
    uint64_t max_size; /* fd: more bytes are an error; 0: no limit */
    const struct image_options *part; /* fd: hash only the part that these say;
                                       * NULL: all */
    const char *name;                 /* for messages */

    /* What takes the digests of the first hash, which has blocks, beside its
     * root. Workers call them, one at a time. engine_finish() calls end(), if
     * all went well: after the other checksums and that of the root. */
    struct sink *const *sinks;
    size_t sink_count;

    /* An image: blocks that are not read, as their digests are known. NULL:
     * none. It is for the only hash of the options, which has blocks. A worker
     * calls it when it plans; engine_finish() calls end(). */
    struct known *known;

    /* An image and one hash of blocks, or two images: only this part of it, up
     * to the end of the disk at most. If that is not all of it, there is no
     * checksum. Otherwise, these are 0. */
    bool is_part;
    uint64_t first_block, blocks;

    /* Instead of hashing, compare the image with this one, up to the end of the
     * shorter one. Blocks are sectors then. NULL: hash it. */
    struct image *other;
    struct differences *differences; /* take what is found; NULL: the only sink
                                      * takes an enum difference_kind for each
                                      * sector instead of a digest */
};

/* Make an engine for one input. What the input and the options point to must
 * stay in place until engine_free(). */
int engine_new(const struct engine_options *options,
               const struct engine_input *input, struct engine **engine,
               struct error *error);

/* Start the worker threads. They block all signals but SIGBUS. An image that
 * fits in one slot, and is read through the page cache, is hashed by the
 * calling thread, before this returns; so the caller must not block SIGBUS (see
 * reader/window.h). */
int engine_start(struct engine *e, struct error *error);

/* A descriptor that becomes readable when all is done or an error has stopped
 * the engine. It belongs to the engine. -1: the calling thread has done all. */
int engine_done_fd(const struct engine *e);

/* How much of the guest's disk is done. */
struct engine_progress {
    uint64_t done;
    uint64_t size;   /* 0: unknown, of a pipe */
    uint64_t unread; /* the part of done that cost no read; 0 where each byte of
                      * the disk is hashed, so all cost alike */
};

void engine_progress(struct engine *e, struct engine_progress *progress);

/* Wait for the end and get the result, or the first error. */
int engine_finish(struct engine *e, struct engine_result *result,
                  struct error *error);

/* After engine_finish(), or when never started. NULL is accepted. */
void engine_free(struct engine *e);

#endif
