/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Digests that are known before a disk is read: from a list that was
 * interrupted, or from an older list for what has not changed since. The engine
 * does not read these blocks.
 *
 * Threads: one at a time.
 */
#ifndef LIST_KNOWN_H
#define LIST_KNOWN_H

#include <assert.h>

#include "common/changes.h"

struct list_reader;

enum known_kind {
    KNOWN_NOT,
    KNOWN_ZERO,    /* whole blocks of zeros */
    KNOWN_DIGESTS, /* the last block of the disk may be short */
};

struct known_run {
    enum known_kind kind;
    uint64_t blocks;
    const unsigned char *mds; /* DIGESTS: valid until the next call */
};

/* It begins the struct of each kind. */
struct known {
    /*
     * Find what is known of a block and those after it: a run of at least one
     * and at most max blocks. Blocks ascend, and some may be left out: a call
     * begins at the end of the run before, or later. block + max does not
     * exceed the blocks of the disk.
     */
    int (*next)(struct known *known, uint64_t block, uint64_t max,
                struct known_run *run, struct error *error);

    /* There are no more calls of next(): verify the rest of the list. */
    int (*end)(struct known *known, struct error *error);

    void (*free)(struct known *known);

    bool failed; /* what it answered before is not to be trusted */
};

static inline int known_next(struct known *known, uint64_t block, uint64_t max,
                             struct known_run *run, struct error *error)
{
    int err;

    assert(max > 0);
    err = known->next(known, block, max, run, error);
    known->failed |= err != 0;
    assert(err || (run->blocks > 0 && run->blocks <= max));
    return err;
}

static inline int known_end(struct known *known, struct error *error)
{
    int err = known->end(known, error);

    known->failed |= err != 0;
    return err;
}

/* NULL is accepted. */
static inline void known_free(struct known *known)
{
    if (known)
        known->free(known);
}

/*
 * All that is in a list; beyond its end, nothing. The list may be one that was
 * interrupted, or of a part of the disk. length is that of the disk in bytes; a
 * list of a disk of another length is refused, and so is one of a pipe. The
 * caller has compared block size, digest and source.
 *
 * After success, the list belongs to *known, which frees it.
 */
int known_of_part(struct list_reader *list, uint64_t length,
                  struct known **known, struct error *error);

/*
 * What is in a list and has not changed since it was made; NULL: nothing has
 * changed. A block is known if none of its bytes has changed. Otherwise as
 * above, but the list may be of a pipe: then end() compares the lengths. After
 * success, the changes, too, belong to *known.
 */
int known_unchanged(struct list_reader *list, struct changes *changes,
                    uint64_t length, struct known **known, struct error *error);

/* What the first one knows, and where it knows nothing, the second. After
 * success, both belong to *known. name is for the error ENOMEM. */
int known_either(struct known *first, struct known *second, const char *name,
                 struct known **known, struct error *error);

#endif
