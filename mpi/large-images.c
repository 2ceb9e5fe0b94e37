/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/large-images.h"

#include <assert.h>
#include <stdlib.h>

#define MIN_ROOM 64

bool large_images_add(struct large_images *l, uint64_t index, uint64_t size)
{
    if (l->count == l->room) {
        size_t room = l->room ? 2 * l->room : MIN_ROOM;
        struct large_image *all = realloc(l->all, room * sizeof(*all));

        if (!all)
            return false;
        l->all = all;
        l->room = room;
    }
    l->all[l->count++] = (struct large_image){ index, size };
    l->size += size;
    l->sorted = false;
    return true;
}

/* The largest one is the last. */
static int compare(const void *a, const void *b)
{
    const struct large_image *x = a, *y = b;

    if (x->size != y->size)
        return x->size < y->size ? -1 : 1;
    return x->index > y->index ? -1 : x->index < y->index;
}

uint64_t large_images_take(struct large_images *l)
{
    assert(l->count > 0);
    if (!l->sorted)
        qsort(l->all, l->count, sizeof(*l->all), compare);
    l->sorted = true;
    l->count--;
    l->size -= l->all[l->count].size;
    return l->all[l->count].index;
}

void large_images_free(struct large_images *l)
{
    free(l->all);
}
