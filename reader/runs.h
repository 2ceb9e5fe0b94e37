/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a file has data and where holes. lseek() finds the end of a run of data
 * by walking over it: on tmpfs page by page, elsewhere extent by extent. An
 * image can have its clusters in any order, and would have the same pages
 * walked over for each of them. So the runs of a file are found once, from
 * front to back, and the long ones are remembered: to walk over any other costs
 * little.
 */
#ifndef READER_RUNS_H
#define READER_RUNS_H

#include <stddef.h>

#include "reader/reader.h"

struct run {
    uint64_t start, end;
};

/* All zero at first. */
struct runs {
    uint64_t hole_start; /* the last hole that was found, up to: */
    struct run last;     /* the run of data behind it, and so far */
    struct run *list;    /* of long runs, in order */
    size_t count, room;
};

/* Set the extent at offset, which is at most length, of a file of this size.
 * *ends: there is no data behind the hole, or the file is shorter by now. */
void runs_get(struct runs *r, int fd, uint64_t size, uint64_t offset,
              uint64_t length, struct reader_extent *extent, bool *ends);

/* Do not look for runs before offset: nobody will ask for them. */
void runs_begin_at(struct runs *r, uint64_t offset);
void runs_free(struct runs *r);

#endif
