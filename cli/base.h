/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is known of an image before it is read: from an older list (--base), and
 * what says what has changed since the list was made.
 */
#ifndef CLI_BASE_H
#define CLI_BASE_H

#include "cli/options.h"
#include "list/known.h"

/*
 * Open the list, and check that it can be one of the image of the input. The
 * image must stay open until known_free().
 */
int base_open(const struct options *o, const struct engine_input *input,
              struct known **known, struct error *error);

#endif
