/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLI_LIST_SHOW_H
#define CLI_LIST_SHOW_H

#include "cli/options.h"

/* Verify a digest list, and print its checksum or, as JSON, all but the digests
 * (--show). False: a message was printed. */
bool list_show(const struct options *o, const char *name);

#endif
