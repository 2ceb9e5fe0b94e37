/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options for the digest and the size of its blocks.
 */
#ifndef CLI_DIGEST_OPTION_H
#define CLI_DIGEST_OPTION_H

#include <stdbool.h>

#include "cli/option.h"
#include "cli/options.h"

/* NAME, or NAME/SIZE; the argument is changed. A plain one has just a name. */
enum options_result digest_option(struct options *o, char *argument);
enum options_result plain_option(struct options *o, char *argument);
enum options_result block_size_option(struct options *o, char *argument);

/* Read NAME or NAME/SIZE; the text is changed, and the choice points into it.
 */
enum options_result digest_option_parse(char *text,
                                        struct digest_choice *choice);

/* Print the names of the digests. */
enum options_result list_digests_option(struct options *o, char *argument);

/* The name that the library lists for a digest, which may have others. If there
 * is none, the name that is given. Returns 0 or a positive errno value. */
int digest_option_name(const char *given, const char **name);

/* Whether two names are those of the same digest. Returns 0 or a positive errno
 * value. */
int digest_option_same(const char *a, const char *b, bool *same);

/* Say that nothing can be found out about a digest. */
enum options_result digest_option_failed(const char *name, int err);

/* Check that the library has a digest, before the first image is opened. */
enum options_result digest_option_check(const char *name);

#endif
