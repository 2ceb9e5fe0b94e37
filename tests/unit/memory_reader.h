/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A reader of bytes in memory. On request, it does what other readers do now
 * and then: reads come back in another order, short, or with an error.
 */
#ifndef TESTS_UNIT_MEMORY_READER_H
#define TESTS_UNIT_MEMORY_READER_H

#include <stdbool.h>

#include "reader/reader.h"

#define NEVER UINT64_MAX

struct memory_reader {
    struct reader reader;
    const unsigned char *bytes; /* holes are zeros */
    uint64_t unit;              /* the size of a hole, to which it is aligned */
    const bool *holes;          /* for each unit; NULL: there are none */
    bool one_unit;              /* an extent has one unit */

    bool reverse;         /* reads come back in reverse order */
    bool partial;         /* try_read() reads a part */
    uint64_t fail_extent; /* extent() fails at this offset */
    uint64_t fail_read;   /* the byte at this offset cannot be read */
    uint64_t fail_from;   /* no byte from this offset on can be read */
    const bool *bad;      /* for each unit: it cannot be read; NULL: all can */
    uint64_t end;         /* the object ends here, before its size */
    bool changed;         /* check_unchanged() fails */

    /* The order of the reads that come back, in place of `reverse`, for those
     * that a thread waits for; both may be NULL. choose() says which of the
     * count in flight in a queue is next, of which 0 was submitted first.
     * before() is called when one comes back, and may wait. */
    size_t (*choose)(struct memory_reader *m, size_t count);
    void (*before)(struct memory_reader *m, const struct read *read);

    unsigned extent_calls;
    unsigned rest_calls;      /* of read_rest(), also for metadata */
    unsigned will_need_calls; /* of will_need(), and the last offset: */
    uint64_t needed;
};

/* Set up a reader that does nothing odd. The bytes and the reader belong to the
 * caller, even after close(). */
void memory_reader_init(struct memory_reader *m, const void *bytes,
                        uint64_t size);

#endif
