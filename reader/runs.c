/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reader/runs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/units.h"

/* So many runs are remembered at most: 32 KiB for each file of a chain. */
#define MAX_RUNS 2048

/* Runs of less than 256 pages are not: that takes some microseconds. */
#define SHORT_RUN MiB

/* How many runs are found in one call, before anybody sees an error elsewhere.
 */
#define MAX_STEPS 4096

/* Find the first run of data that ends behind offset. At the end of the file it
 * is empty. whole: also where it ends, if a hole comes before it. */
static struct run find_run(int fd, uint64_t offset, uint64_t size, bool whole,
                           bool *ends)
{
    off_t data = lseek(fd, offset, SEEK_DATA);
    off_t hole;

    *ends = data < 0 && errno == ENXIO;
    if (*ends || (data >= 0 && (uint64_t)data >= size))
        return (struct run){ size, size };
    if (data < 0 || (uint64_t)data < offset)
        return (struct run){ offset, size }; /* holes are not reported */
    if ((uint64_t)data > offset && !whole)
        return (struct run){ data, data };
    hole = lseek(fd, data, SEEK_HOLE);
    if (hole <= data || (uint64_t)hole > size)
        return (struct run){ data, size };
    return (struct run){ data, hole };
}

/* --- runs that are remembered ------------------------------------------- */

/* As many runs as are remembered cannot all be longer than their share of the
 * file. */
static bool is_long(const struct run *run, uint64_t size)
{
    uint64_t length = run->end - run->start;

    return length >= SHORT_RUN && length > size / MAX_RUNS;
}

/* Without memory the run is forgotten, which only costs time. */
static void remember(struct runs *r, const struct run *run)
{
    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : 16;
        struct run *list = realloc(r->list, room * sizeof(*list));

        if (!list)
            return;
        r->list = list;
        r->room = room;
    }
    assert(r->count < MAX_RUNS);
    r->list[r->count++] = *run;
}

/* Find the run that has a byte. NULL: it is not remembered. */
static const struct run *recall(const struct runs *r, uint64_t offset)
{
    size_t low = 0, high = r->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (offset < r->list[middle].start)
            high = middle;
        else if (offset >= r->list[middle].end)
            low = middle + 1;
        else
            return &r->list[middle];
    }
    return NULL;
}

/* --- the search --------------------------------------------------------- */

/* Find runs up to the one that ends behind offset, or as many as one call may.
 */
static void find_up_to(struct runs *r, int fd, uint64_t size, uint64_t offset,
                       bool *ends)
{
    for (unsigned i = 0; i < MAX_STEPS && r->last.end <= offset; i++) {
        r->hole_start = r->last.end;
        r->last = find_run(fd, r->last.end, size, true, ends);
        if (is_long(&r->last, size))
            remember(r, &r->last);
    }
}

static void set_extent(struct reader_extent *extent, const struct run *run,
                       uint64_t offset, uint64_t length)
{
    uint64_t end = offset < run->start ? run->start : run->end;

    extent->hole = offset < run->start;
    extent->length = end - offset < length ? end - offset : length;
}

void runs_get(struct runs *r, int fd, uint64_t size, uint64_t offset,
              uint64_t length, struct reader_extent *extent, bool *ends)
{
    const struct run *known = recall(r, offset);
    struct run run;

    *ends = false;
    if (!known && r->last.end <= offset)
        find_up_to(r, fd, size, offset, ends);
    if (!known && offset >= r->hole_start && offset < r->last.end)
        known = &r->last;
    if (!known) {
        run = find_run(fd, offset, size, false, ends);
        known = &run;
    }
    set_extent(extent, known, offset, length);
}

void runs_begin_at(struct runs *r, uint64_t offset)
{
    if (r->last.end < offset) {
        r->hole_start = offset;
        r->last = (struct run){ offset, offset };
    }
}

void runs_free(struct runs *r)
{
    free(r->list);
}
