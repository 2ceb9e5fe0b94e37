/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes a digest list to a descriptor, from front to back. It may be a pipe.
 *
 * The records depend on the digests alone, not on how they are split into
 * calls, nor on whether blocks of zeros come as such or as digests. Only a
 * check that is written since the last one is LIST_FLUSH_SECONDS old depends on
 * the time. What is written by then is on the disk soon after, if the
 * descriptor is a file: an interrupted list loses little.
 */
#ifndef LIST_WRITER_H
#define LIST_WRITER_H

#include "list/header.h"
#include "list/sink.h"

#define LIST_FLUSH_SECONDS 10

/* Where an interrupted list goes on. list/reader.h finds this place. */
struct list_point {
    uint64_t offset; /* in the file, after the last good check */
    uint64_t blocks; /* of the list before it */
    unsigned char check[BLKHASH_MAX_MD_SIZE]; /* the last good one */
    bool ended;                               /* the list has its end... */
    struct sink_end end;                      /* ...which says this */
};

struct list_writer;

/*
 * Write the header. fd, name and header stay the caller's; fd and name must
 * outlive the writer.
 */
int list_writer_new(int fd, const char *name, const struct list_header *header,
                    struct list_writer **writer, struct error *error);

/*
 * Go on with an interrupted list, whose header is given. The file is truncated
 * at the point. Its blocks before the point come again, and are not written
 * again. If the list has its end, nothing is written, and the end must be the
 * same.
 */
int list_writer_resume(int fd, const char *name,
                       const struct list_header *header,
                       const struct list_point *point,
                       struct list_writer **writer, struct error *error);

/*
 * The writer as a sink. end() needs the checksum if the list has all blocks of
 * the disk, and syncs the file.
 */
struct sink *list_writer_sink(struct list_writer *writer);

/*
 * After the end: read the file from its beginning, and verify that it is what
 * was written, all of it and nothing else. ESTALE: it is not, as something else
 * has written to it, too. part is its name for errors.
 */
int list_writer_verify(const struct list_writer *writer, const char *part,
                       struct error *error);

/* Does not close fd. NULL is accepted. */
void list_writer_free(struct list_writer *writer);

#endif
