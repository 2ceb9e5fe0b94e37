/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "format/ranges.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int ranges_add(struct ranges *r, uint64_t start, uint64_t length)
{
    if (length == 0)
        return 0;
    if (r->count == r->room) {
        size_t room = r->room ? 2 * r->room : 16;
        struct range *list = realloc(r->list, room * sizeof(*list));

        if (!list)
            return ENOMEM;
        r->list = list;
        r->room = room;
    }
    r->list[r->count++] = (struct range){ start, start + length };
    r->sorted = false;
    return 0;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = ((const struct range *)a)->start;
    uint64_t y = ((const struct range *)b)->start;

    return (x > y) - (x < y);
}

void ranges_sort(struct ranges *r)
{
    size_t last = 0;

    if (r->count)
        qsort(r->list, r->count, sizeof(*r->list), compare);
    for (size_t i = 1; i < r->count; i++) {
        if (r->list[i].start > r->list[last].end)
            r->list[++last] = r->list[i];
        else if (r->list[i].end > r->list[last].end)
            r->list[last].end = r->list[i].end;
    }
    if (r->count)
        r->count = last + 1;
    r->sorted = true;
}

bool ranges_overlap(const struct ranges *r, uint64_t start, uint64_t length)
{
    size_t low = 0, high = r->count;

    assert(r->sorted || r->count == 0);
    /* Find the first range that ends after the start. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->list[middle].end <= start)
            low = middle + 1;
        else
            high = middle;
    }
    return low < r->count && r->list[low].start < start + length;
}

size_t ranges_memory(const struct ranges *r)
{
    return r->room * sizeof(*r->list);
}

void ranges_free(struct ranges *r)
{
    free(r->list);
    *r = (struct ranges){ 0 };
}
