/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the chunks of a digest list: the records between two checks. A chunk is
 * first walked to find its end and to check its records, and then verified.
 *
 * The buffer has room for the longest chunk, with the check before it and its
 * own: the check is a digest of all of that, as it lies there. Bytes move only
 * if the buffer ends within a chunk.
 */
#ifndef LIST_CHUNK_H
#define LIST_CHUNK_H

#include <stdbool.h>

#include "list/check.h"
#include "list/writer.h"

struct list_chunk {
    int fd;
    const char *name;
    uint64_t max_size; /* the longest disk, or 0 */
    struct list_header header;
    struct list_check check;

    unsigned char *buf;
    size_t len;      /* of buf */
    uint64_t offset; /* of buf in the file */
    bool at_eof;

    /* Places in buf. */
    size_t start;  /* of what the check is a digest of */
    size_t first;  /* the first record, after the check before it */
    size_t walked; /* where the walk goes on; at the end, the check's word */

    /* What the walk has seen. */
    uint64_t blocks;       /* in all chunks so far */
    uint64_t max_blocks;   /* that the list can have */
    uint64_t whole_blocks; /* the same, without a short block at the end */
    const char *too_many;  /* the fault if there are more */
    uint64_t zero_end;     /* the number of the block after the last zeros */
    int last_kind;         /* of the record before, or -1 */

    struct list_point point; /* after the last chunk that was verified */
    bool broken;             /* the fault is one of the list, not of reading */
    bool read_failed;        /* the fault is one of reading */
};

/*
 * Read and verify the header, which is the first chunk. name must outlive the
 * chunk. max_size: the longest disk, or 0. After an error, too, the chunk must
 * be destroyed.
 */
int list_chunk_init(struct list_chunk *c, int fd, const char *name,
                    uint64_t max_size, struct error *error);
void list_chunk_destroy(struct list_chunk *c);

/* Read and verify the next chunk. Its records are in buf from `first` on, with
 * a check after them, until the next call. */
int list_chunk_next(struct list_chunk *c, struct error *error);

/* Whether the list has all blocks of a disk of this length. */
bool list_chunk_has_all(const struct list_chunk *c, uint64_t length);

/* After the chunk with the end: nothing may follow. The buffer is freed: lists
 * that were read may stay open. */
int list_chunk_check_eof(struct list_chunk *c, struct error *error);

#endif
