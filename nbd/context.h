/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Metadata contexts: what a server can tell of each byte of an export, in
 * replies to block status requests.
 */
#ifndef NBD_CONTEXT_H
#define NBD_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

enum nbd_context {
    NBD_HOLES,  /* base:allocation: whether it reads as zeros */
    NBD_BITMAP, /* qemu:dirty-bitmap:NAME: whether it has changed */
};

/* The name of the context of a bitmap, to be freed. NULL: no memory. */
char *nbd_bitmap_context(const char *bitmap);

/* The state of an extent with these flags. */
bool nbd_state_of(enum nbd_context context, uint32_t flags);

/* The same in a word, for events. */
const char *nbd_state_name(enum nbd_context context, bool state);

#endif
