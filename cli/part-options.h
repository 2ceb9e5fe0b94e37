/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Options that say which part of what the user names is hashed.
 */
#ifndef CLI_PART_OPTIONS_H
#define CLI_PART_OPTIONS_H

#include "cli/options.h"

/* The set() of these options. */
enum options_result offset_option(struct options *o, char *argument);
enum options_result length_option(struct options *o, char *argument);
enum options_result member_option(struct options *o, char *argument);

/* Check that no option is given with which a part has no meaning. If one is, a
 * usage message is printed. */
bool part_options_verify(const struct options *o);

#endif
