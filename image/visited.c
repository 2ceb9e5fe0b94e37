/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/visited.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

/* An image can name itself in ever longer ways. This many are sufficient for
 * all that is reached by some links. */
#define MAX_BASES 8

struct visit {
    char *base;
    bool done;
};

struct visited_image {
    struct object_id id;
    const char *format;
    struct visit visits[MAX_BASES];
    size_t count;
};

static int compare(const void *a, const void *b)
{
    const struct visited_image *x = a, *y = b;

    if (x->id.device != y->id.device)
        return x->id.device < y->id.device ? -1 : 1;
    if (x->id.inode != y->id.inode)
        return x->id.inode < y->id.inode ? -1 : 1;
    return strcmp(x->format, y->format);
}

/* NULL when out of memory. */
static struct visited_image *find_or_add(struct visited *v,
                                         const struct object_id *id,
                                         const char *format)
{
    struct visited_image *image = calloc(1, sizeof(*image));
    struct visited_image **found;

    if (!image)
        return NULL;
    image->id = *id;
    image->format = format;
    found = tsearch(image, &v->images, compare);
    if (!found || *found != image)
        free(image);
    return found ? *found : NULL;
}

static int set_loop(const struct reader *r, struct error *error)
{
    return error_set(error, ELOOP, "%s: refers to too many other files",
                     r->name);
}

int visited_enter(struct visited *v, const struct reader *r, const char *base,
                  const char *format, bool **done, struct error *error)
{
    struct visited_image *image = find_or_add(v, &r->id, format);
    struct visit *visit;

    *done = NULL;
    if (!image)
        return error_no_memory(error, r->name);
    if (!base)
        base = "";
    for (size_t i = 0; i < image->count; i++) {
        visit = &image->visits[i];
        if (strcmp(visit->base, base) == 0)
            return visit->done ? 0 : set_loop(r, error);
    }
    if (image->count == MAX_BASES)
        return set_loop(r, error);
    visit = &image->visits[image->count];
    visit->base = strdup(base);
    if (!visit->base)
        return error_no_memory(error, r->name);
    image->count++;
    *done = &visit->done;
    return 0;
}

static void free_image(void *p)
{
    struct visited_image *image = p;

    for (size_t i = 0; i < image->count; i++)
        free(image->visits[i].base);
    free(image);
}

void visited_free(struct visited *v)
{
    tdestroy(v->images, free_image);
}
