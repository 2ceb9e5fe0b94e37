/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The checks of a list. Each is a digest of the check before it and of the
 * bytes since then, so it stands for all bytes of the list before it.
 */
#ifndef LIST_CHECK_H
#define LIST_CHECK_H

#include <stdbool.h>
#include <string.h>

#include "blkhash.h"
#include "list/header.h"

/* What the digest of a list computes. */
struct list_check {
    struct blkhash_leaf *leaf;
    size_t md_size;
    unsigned char zero_md[BLKHASH_MAX_MD_SIZE]; /* of a block of zeros */
};

/* Whether a digest is that of a block of zeros. Mostly the first byte says no,
 * which is much faster than a call for each block. */
static inline bool list_check_is_zero(const struct list_check *check,
                                      const unsigned char *md)
{
    return md[0] == check->zero_md[0] &&
           memcmp(md, check->zero_md, check->md_size) == 0;
}

/* name is that of the list, for the error. After an error, too, the check must
 * be destroyed, unless it was zeros all along. */
int list_check_init(struct list_check *check, const struct list_header *header,
                    const char *name, struct error *error);
void list_check_destroy(struct list_check *check);

/* H(bytes), at most two digests, LIST_MAX_CHUNK bytes and a word. 0 or a
 * positive errno value. */
int list_check_compute(struct list_check *check, const void *bytes, size_t len,
                       unsigned char *md);

#endif
