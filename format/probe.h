/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FORMAT_PROBE_H
#define FORMAT_PROBE_H

#include "common/error.h"
#include "reader/reader.h"

/*
 * Find the format of what a reader has, as QEMU does: by its first bytes, and
 * by the end of its path, which may be NULL. *format is "raw" if no other
 * format is recognised. *lookalike is then the format that the user may mean
 * nevertheless, or NULL.
 */
int probe_format(struct reader *reader, const char *path, const char **format,
                 const char **lookalike, struct error *error);

/* The format of an image of which these are the first bytes. NULL: none is
 * recognised. */
const char *probe_start(const void *start, size_t len);

#endif
