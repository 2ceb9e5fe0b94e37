/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A reader of bytes in memory that does at will what real ones do at times:
 * reads come back in reverse order, short, or with an error.
 */
#ifndef TESTS_UNIT_MEMORY_READER_H
#define TESTS_UNIT_MEMORY_READER_H

#include <stdbool.h>

#include "reader/reader.h"

#define NEVER UINT64_MAX

struct memory_reader {
    struct reader reader;
    const unsigned char *bytes; /* holes are zeros */
    uint64_t unit;              /* holes are at multiples of it */
    const bool *holes;          /* one a unit; NULL: none */
    bool one_unit;              /* extent() tells of one unit at a time */

    bool reverse;         /* reads come back last first */
    bool partial;         /* try_read() gives a part */
    uint64_t fail_extent; /* extent() gives what is before, and fails here */
    uint64_t fail_read;   /* the byte that cannot be read */
    uint64_t fail_from;   /* none from here on can be read */
    uint64_t end;         /* the object ends here, before its size */
    bool changed;         /* check_unchanged() says so */
    unsigned extent_calls;
    unsigned rest_calls;      /* of read_rest(), so of metadata, too */
    unsigned will_need_calls; /* and where the last one began: */
    uint64_t needed;
};

/* All in order, over bytes that stay in place. Owned by the caller, also after
 * close(). */
void memory_reader_init(struct memory_reader *m, const void *bytes,
                        uint64_t size);

#endif
