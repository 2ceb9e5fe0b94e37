/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What --verbose prints about an image that was hashed: what was read, how
 * fast, and what was chosen at run time, by which figures.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "cli/checksum.h"
#include "engine/read-method.h"

/* before: the figures of the read method before the image was read. */
void report_print(const struct options *o, const struct checksum *c,
                  const struct read_method_figures *before);

#endif
