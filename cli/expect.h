/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A checksum that the user expects an image to have (--expect).
 */
#ifndef CLI_EXPECT_H
#define CLI_EXPECT_H

#include <stdbool.h>

#include "cli/option.h"
#include "cli/sums.h"

/* HEX, or NAME:HEX, where NAME is that of --digest or a tag; the argument is
 * changed. */
enum options_result expect_option(struct options *o, char *argument);

/* A name in the argument is as good as a --digest. Call it before the digests
 * are chosen. */
void expect_choose(struct options *o);

/* Find what is expected among the digests that were chosen, and check that the
 * option goes with the others. Else, a message was printed. */
enum options_result expect_verify(struct options *o);

/* Print the verdict, and why it may be the wrong one. line: what was computed;
 * matches: whether it is what is expected. */
void expect_print(const struct options *o, const struct sums_line *line,
                  bool matches);

#endif
