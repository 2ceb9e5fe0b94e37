/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_CHECK_OPTIONS_H
#define CLI_CHECK_OPTIONS_H

#include <stdbool.h>

#include "cli/options.h"

/* Check for options that exclude each other or need --check. False: a usage
 * message was printed. */
bool check_options_verify(const struct list_options *l);

#endif
