/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which of the two that are compared is a digest list. Its name says so: a
 * guest can make its disk look like one, and would choose the verdict.
 */
#ifndef CLI_DIFF_KIND_H
#define CLI_DIFF_KIND_H

#include "cli/options.h"

/* Whether the one with the name n is a list. An error if it looks like one, but
 * could be a disk. */
int diff_kind(const struct options *o, char *const names[2], int n,
              bool *is_list, struct error *error);

#endif
