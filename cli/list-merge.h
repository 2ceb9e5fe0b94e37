/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_LIST_MERGE_H
#define CLI_LIST_MERGE_H

#include "cli/list-write.h"
#include "cli/options.h"

/* Put the parts of a disk together, and print its checksum (--merge). list:
 * where to write the whole list, or NULL. False: a message was printed. */
bool list_merge_parts(const struct options *o, struct list_write *list,
                      char **names, int count);

#endif
