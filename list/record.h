/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The records of a list. Each begins with a word: the kind in the top two bits,
 * and a count in the others. docs/digest-list.md has the whole format.
 */
#ifndef LIST_RECORD_H
#define LIST_RECORD_H

#include <stdint.h>

#include "common/bytes.h"

enum list_record {
    LIST_ZERO,    /* count whole blocks of zeros */
    LIST_DIGESTS, /* count digests follow */
    LIST_CHECK,   /* a digest of what is before it follows; no count */
    LIST_END, /* count: the blocks of the list; the rest of the end follows */
};

#define LIST_WORD_SIZE 8
#define LIST_KIND_SHIFT 62
#define LIST_MAX_COUNT ((UINT64_C(1) << LIST_KIND_SHIFT) - 1)

static inline void list_word_put(unsigned char *p, enum list_record kind,
                                 uint64_t count)
{
    put_le64(p, (uint64_t)kind << LIST_KIND_SHIFT | count);
}

static inline enum list_record list_word_kind(const unsigned char *p)
{
    return (enum list_record)(get_le64(p) >> LIST_KIND_SHIFT);
}

static inline uint64_t list_word_count(const unsigned char *p)
{
    return get_le64(p) & LIST_MAX_COUNT;
}

#endif
