/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which parts of a disk have changed, collected range by range, in any order,
 * and with overlaps. Memory is bounded, whatever is added: a map has a bit for
 * each of at most 2^29 units of the disk. What is in a unit with a change is
 * changed.
 */
#ifndef CLI_CHANGE_MAP_H
#define CLI_CHANGE_MAP_H

#include "common/changes.h"

struct change_map;

/* What holds for a range that is not added, or not as a whole. */
enum change_default {
    DEFAULT_UNCHANGED, /* only changes are added */
    DEFAULT_CHANGED,   /* what has not changed is added, too */
};

/* Make a map of a disk, whose size is not 0. NULL when out of memory. */
struct change_map *change_map_new(uint64_t size,
                                  enum change_default default_change);

/* Add a range, which ends at or before the size. A change counts, even if the
 * same range is also added as unchanged. */
void change_map_add(struct change_map *map, uint64_t offset, uint64_t length,
                    bool changed);

/* All ranges are added. What is returned owns the map. */
struct changes *change_map_finish(struct change_map *map);

/* Of a map that is not finished. NULL is accepted. */
void change_map_free(struct change_map *map);

#endif
