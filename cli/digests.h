/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The digests that are computed of an image, in one pass: what the options ask
 * for, without what is asked for twice.
 */
#ifndef CLI_DIGESTS_H
#define CLI_DIGESTS_H

#include "cli/option.h"

/* Set the hashes of the engine, and check that they go together, with each
 * other and with the other options. Call it when all options are read. If not
 * OPTIONS_RUN, a message was printed. */
enum options_result digests_choose(struct options *o);

/* What is printed although a list goes to standard output, where nothing else
 * belongs. NULL: only a checksum, which is left out then. */
const char *digests_output(const struct options *o);

#endif
