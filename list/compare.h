/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compares a disk, whose digests it gets as a sink, with a list of another.
 *
 * The ranges are whole blocks, but for the end of the disk. Where one disk ends
 * within a block of the other, the digests of that block cannot be compared:
 * the bytes that both have count as different, unless the digests show that all
 * of them are zeros.
 */
#ifndef LIST_COMPARE_H
#define LIST_COMPARE_H

#include "list/difference.h"
#include "list/reader.h"

struct list_compare;

/*
 * Nothing was read from the list but the header. It must be the list of a whole
 * disk, or end() fails. list_is_a: the list is that of disk A, and the sink
 * gets B. The list and the differences stay the caller's.
 */
int list_compare_new(struct list_reader *list, bool list_is_a,
                     struct differences *differences,
                     struct list_compare **compare, struct error *error);

/* The block size and the digest must be those of the list. */
struct sink *list_compare_sink(struct list_compare *compare);

/* NULL is accepted. */
void list_compare_free(struct list_compare *compare);

#endif
