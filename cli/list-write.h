/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the list of an image while it is hashed (--write-list).
 */
#ifndef CLI_LIST_WRITE_H
#define CLI_LIST_WRITE_H

#include "cli/list-input.h"
#include "cli/options.h"

struct list_write;

/* Open the file, before this process is confined: it stays able to rename it.
 * Free with list_write_free(). */
int list_write_open(const struct options *o, struct list_write **list,
                    struct error *error);

/* The input is open: write the header, or find where the list goes on. The
 * input gets the sink of the list, and what is known of the blocks that the
 * list has already: the caller frees that before the list. */
int list_write_begin(struct list_write *list, const struct options *o,
                     struct engine_input *input, struct error *error);

/* The same for a list that is put together from others. *sink takes the
 * digests. */
int list_write_begin_merge(struct list_write *list, const struct options *o,
                           const struct list_input *parts, int count,
                           struct sink **sink, struct error *error);

/* The engine has finished: the list gets its name. */
int list_write_end(struct list_write *list, struct error *error);

/* What this run added to the list may not be what the image has: nothing can go
 * on from it. */
void list_write_discard(struct list_write *list);

/* Whether the list went to standard output, where nothing else belongs. */
bool list_write_is_on_stdout(const struct list_write *list);

/* After an error, what can be resumed stays. NULL is accepted. */
void list_write_free(struct list_write *list);

#endif
