/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which parts of a disk have changed since some moment: what a bitmap, a list
 * of ranges or the layers of a chain answer. What they call changed may be
 * more than what has other bytes, never less.
 *
 * Threads: one at a time.
 */
#ifndef COMMON_CHANGES_H
#define COMMON_CHANGES_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct change {
    uint64_t length;
    bool changed;
};

/* It begins the struct of each kind. */
struct changes {
    /*
     * Find what is at offset: a range of at least one byte and at most length,
     * which is not 0. The offset is not less than the end of the range before,
     * and offset + length does not exceed the size of the disk.
     */
    int (*next)(struct changes *changes, uint64_t offset, uint64_t length,
                struct change *change, struct error *error);

    void (*free)(struct changes *changes);
};

static inline int changes_next(struct changes *changes, uint64_t offset,
                               uint64_t length, struct change *change,
                               struct error *error)
{
    int err;

    assert(length > 0);
    err = changes->next(changes, offset, length, change, error);
    assert(err || (change->length > 0 && change->length <= length));
    return err;
}

/* NULL is accepted. */
static inline void changes_free(struct changes *changes)
{
    if (changes)
        changes->free(changes);
}

#endif
