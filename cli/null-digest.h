/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The digest "null" of the library, which computes nothing: for measuring how
 * fast disks are read. Nothing can be verified with it.
 */
#ifndef CLI_NULL_DIGEST_H
#define CLI_NULL_DIGEST_H

#include <stdbool.h>

#include "cli/options.h"

/* Upper and lower case are the same. */
bool is_null_digest(const char *name);

/* Refuse it with options that need digests. False: a usage message was
 * printed. */
bool null_digest_verify(const struct options *o);

#endif
