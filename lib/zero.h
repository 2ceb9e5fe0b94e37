/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_ZERO_H
#define LIB_ZERO_H

#include <stdbool.h>
#include <stddef.h>

#include "blkhash.h"
#include "lib/digest.h"
#include "lib/names.h"

/* Whether all len bytes at buf are zero. Stops soon after the first one that is
 * not. */
bool is_zero(const void *buf, size_t len);

/* Get the digest of len zero bytes. The context is for the digest of this name,
 * and is used unless the thread knows the answer from its last call. 0 or a
 * positive errno value. */
int zero_digest(struct digest_ctx *ctx, const char *name, size_t len,
                unsigned char md[BLKHASH_MAX_MD_SIZE]);

#endif
