/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A disk that several ranks hash: rank 0 opens it, cuts it into pieces, and
 * puts the digests of the pieces together in order.
 */
#ifndef MPI_DISK_H
#define MPI_DISK_H

#include "cli/checksum.h"
#include "mpi/comparison.h"
#include "mpi/cut.h"
#include "mpi/pieces.h"
#include "mpi/warnings.h"

struct disk {
    uint64_t index; /* of the image */
    const struct options *o;
    struct list_write *list; /* NULL: none is written */
    size_t md_size;
    struct checksum c; /* with the image, its counts, and the error */
    char *error;       /* an error of a rank, for the user; NULL: none */
    double start;
    struct warnings warnings;
    bool is_compared;
    struct comparison comparison; /* then; it has the images */
    struct cut cut;
    bool resuming; /* its list may know the next blocks */
    struct pieces pieces;
    bool cut_failed;   /* the last piece is that of the error */
    bool over;         /* all is committed, or an error is the next piece */
    uint64_t out;      /* slices that a rank has */
    size_t room;       /* bytes of memory that the pieces take, or will */
    uint64_t done;     /* blocks that are committed */
    uint64_t unread;   /* the part of them that rank 0 knew */
    struct sink *root; /* the first sink, */
    struct sink *sinks[2];
    size_t sink_count;

    bool *known;       /* of each rank, whether it was told to open the disk */
    int awaited;       /* ranks that have not answered that */
    int failed_rank;   /* the first one that could not open it */
    struct disk *next; /* that was begun after this one */
};

/* Open an image, and begin its list; with --diff, open the next one, too. An
 * error is kept in the disk, which is over then. NULL: out of memory. The names
 * must stay valid. */
struct disk *disk_begin(const struct options *o, struct list_write *list,
                        uint64_t index, char **names, int ranks,
                        size_t md_size);

/* Write what a rank must know to open the same. */
void disk_describe(const struct disk *d, struct wire *w);

/* Whether there is more to cut. */
bool disk_has_more(const struct disk *d);

/* About how many bytes of that must be read. */
uint64_t disk_left(const struct disk *d);

/* Cut the next piece: a hole, or a slice with up to `data` bytes, which has a
 * number. False: there is no more, or not before an error. */
bool disk_cut(struct disk *d, uint64_t data, struct piece *piece,
              uint64_t *number);

/* A rank has done a slice: take the rest of its message, which is the disk's
 * then. */
void disk_take(struct disk *d, uint64_t number, unsigned char *data,
               struct wire_rest message);

/* A rank has opened the image, or could not. */
void disk_opened(struct disk *d, int rank, const char *error);

/* Commit a step of what is next. False: that is not there yet. */
bool disk_commit(struct disk *d);

/* The disk is over, and no rank has a slice of it: get what is printed, or why
 * it failed. Frees the disk. Returns whether it differs from the one with which
 * it is compared. */
bool disk_end(struct disk *d, char **text, char **error);

#endif
