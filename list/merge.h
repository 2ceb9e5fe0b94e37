/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Puts the lists of the parts of a disk together.
 */
#ifndef LIST_MERGE_H
#define LIST_MERGE_H

#include "list/reader.h"

/* Whether two sources are of the same disk. If not, the function sets an error,
 * which names both lists. */
typedef int list_same_source(const struct list_reader *a,
                             const struct list_reader *b, struct error *error);

struct list_merge {
    struct list_reader *const *parts; /* at least one */
    size_t count;
    size_t named;           /* lists, with those that could not be opened */
    const char *name;       /* of the image, for errors */
    list_same_source *same; /* NULL: sources are compared as bytes */
};

/*
 * Give the blocks of all parts to the sinks, in the order of the disk, and then
 * the end: the first sink is a root, which computes the checksum, and *end
 * becomes what it knows.
 *
 * The parts may come in any order. Nothing was read from them but the header,
 * and none may be partial. An error names the lists, and the block: if a block
 * is in no list, or in two of them, or if the parts are of different disks, or
 * have another block size or digest. An overlap or a gap may be found only
 * after blocks were given to the sinks.
 *
 * If blocks are missing, or a list is bad, the other lists are read to their
 * ends, too: the error says which parts have to be hashed again (list/parts.h),
 * if the lists are parts that were cut alike.
 */
int list_merge(const struct list_merge *merge, struct sink *const *sinks,
               size_t sink_count, struct sink_end *end, struct error *error);

/* The same error, where a list could not be opened, which is an error already:
 * add which parts are missing. */
void list_merge_explain(const struct list_merge *merge, struct error *error);

#endif
