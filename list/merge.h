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

/*
 * Give the blocks of all parts to the sinks, in the order of the disk, and then
 * the end: the first sink is a root, which computes the checksum, and *end
 * becomes what it knows.
 *
 * The parts may come in any order. Nothing was read from them but the header,
 * and none may be partial. An error names the lists, and the block: if a block
 * is in no list, or in two of them, or if the parts are of different disks, or
 * have another block size or digest. Sources are compared by `same`, or as
 * bytes if it is NULL. An overlap or a gap may be found only after blocks were
 * given to the sinks.
 */
int list_merge(struct list_reader *const *parts, size_t count,
               list_same_source *same, struct sink *const *sinks,
               size_t sink_count, struct sink_end *end, struct error *error);

#endif
