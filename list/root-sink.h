/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIST_ROOT_SINK_H
#define LIST_ROOT_SINK_H

#include "list/sink.h"

/*
 * A sink that computes the checksum of a disk, and stores it in the struct
 * sink_end. zero() takes some milliseconds for 2^18 blocks; see
 * blkhash_root_zero(). name is that of the disk, for messages; it must stay in
 * place. Free the sink with root_sink_free(). Errors: those of
 * blkhash_root_new().
 */
int root_sink_new(size_t block_size, const char *digest, const char *name,
                  struct sink **sink);

/* NULL is accepted. */
void root_sink_free(struct sink *sink);

#endif
