/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a digest list from front to back, from a file or a pipe. A list is
 * untrusted: the memory is bounded, and nothing is returned before the check
 * that follows it was verified.
 */
#ifndef LIST_READER_H
#define LIST_READER_H

#include "list/header.h"
#include "list/sink.h"
#include "list/writer.h"

struct list_reader;

/* What is next in a list. */
struct list_run {
    uint64_t blocks;
    const unsigned char *mds; /* NULL: zeros. Valid until the next call */
};

struct list_reader_options {
    /* Accept a list that was interrupted. It ends after its last good check,
     * whatever follows. */
    bool partial;

    uint64_t max_size; /* refuse a longer disk; 0: no limit */
};

/*
 * Read the header. fd and name stay the caller's, and must outlive the reader.
 * ENODATA: the list is partial, and was interrupted in its header.
 */
int list_reader_new(int fd, const char *name,
                    const struct list_reader_options *options,
                    struct list_reader **reader, struct error *error);

/* Valid until the reader is freed. */
const struct list_header *list_reader_header(const struct list_reader *reader);

/* The size of a digest. */
size_t list_reader_md_size(const struct list_reader *reader);

/* The name that was given. */
const char *list_reader_name(const struct list_reader *reader);

/*
 * The next run, of at most max blocks (0: any number). Neighbouring runs may be
 * of the same kind. run->blocks is 0 at the end. Then all was verified: the
 * checks, the number of blocks, the checksum if the list has one, and that
 * nothing follows. After an error, do not go on.
 */
int list_reader_next(struct list_reader *reader, uint64_t max,
                     struct list_run *run, struct error *error);

/* After the end: whether the list has its end record. Others are partial. */
bool list_reader_is_ended(const struct list_reader *reader);

/* After the end of a list that has its end record: the length of the disk, and
 * the checksum if the list has all its blocks. */
void list_reader_end(const struct list_reader *reader, struct sink_end *end);

/* After the end: where a writer goes on (list/writer.h). */
void list_reader_point(const struct list_reader *reader,
                       struct list_point *point);

/* Does not close fd. NULL is accepted. */
void list_reader_free(struct list_reader *reader);

#endif
