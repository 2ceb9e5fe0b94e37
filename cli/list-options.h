/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_LIST_OPTIONS_H
#define CLI_LIST_OPTIONS_H

#include <stdbool.h>

#include "cli/options.h"

/* Check the options of digest lists against each other, and against those that
 * do not go with them. False: a usage message was printed. */
bool list_options_verify(const struct options *o);

#endif
