/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The part of a disk that --shard names.
 */
#ifndef CLI_SHARD_H
#define CLI_SHARD_H

#include "cli/option.h"
#include "cli/options.h"

/* The first words of the argument where a variable has the number of the part.
 * Ends with NULL. */
extern const char *const shard_words[];

/* Read I/N, or take I from the variable of a scheduler. If that does not give
 * one, the result is OPTIONS_FAILED: the command line is right. */
enum options_result shard_parse(const char *text, struct shard *shard);

#endif
