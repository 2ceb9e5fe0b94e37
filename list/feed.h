/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIST_FEED_H
#define LIST_FEED_H

#include "list/reader.h"

/* Give all blocks of a list to a sink, and the end. It must be the list of a
 * whole disk, of which only the header was read. A thread reads and verifies
 * the list, while the sink does its own work. */
int list_feed(struct list_reader *list, struct sink *sink, struct error *error);

/* The end of a list that was read to its end. If it is not the list of a whole
 * disk, that is an error. */
int list_feed_end(const struct list_reader *list, struct sink_end *end,
                  struct error *error);

#endif
