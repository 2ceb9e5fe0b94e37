/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How a disk is divided into parts (--shard), and which parts lists do not
 * have.
 *
 * A list does not say which part of how many it is: its blocks do. The parts
 * are numbered from 0 here, and from 1 in messages.
 */
#ifndef LIST_PARTS_H
#define LIST_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first block of a part, of a disk of so many blocks; that of part `count`
 * is the end of the disk. */
uint64_t parts_first_block(uint64_t blocks, unsigned part, unsigned count);

/* The blocks of a list. */
struct parts_list {
    uint64_t first;
    uint64_t blocks;
    bool is_good; /* it was read to its end; if not, only `first` is known */
};

/*
 * Find the number of parts, of which the lists (in order) are some. named: the
 * lists that the user named, who may have named one for each part. 0: no number
 * fits, or more than one does.
 */
unsigned parts_find_count(const struct parts_list *lists, size_t list_count,
                          uint64_t blocks, size_t named);

/*
 * Say which of count parts are in no good list: "part 3/16 is missing" or
 * "parts 3,7-9/16 are missing". sbatch --array takes the numbers as they are.
 * Where they are many ranges, only the first are named, and the number of other
 * parts. Free the text; NULL: out of memory, or none is missing.
 */
char *parts_missing(const struct parts_list *lists, size_t list_count,
                    uint64_t blocks, unsigned count);

#endif
