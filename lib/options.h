/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef LIB_OPTIONS_H
#define LIB_OPTIONS_H

#include <stddef.h>

#include "blkhash.h"
#include "lib/names.h"

struct blkhash_options {
    char *digest_name;
    size_t block_size;
    unsigned threads;     /* 0: the default */
    unsigned queue_depth; /* 0: the default */
};

/* The number that is set, or the default. */
unsigned options_threads(const struct blkhash_options *o);
unsigned options_queue_depth(const struct blkhash_options *o);

#endif
