/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/pieces.h"

#include <stdlib.h>
#include <string.h>

#define MIN_ROOM 64

/* Move the pieces to the front, where half of the room is free; otherwise, get
 * more of it. */
static bool make_room(struct pieces *p)
{
    size_t count = p->end - p->first;
    struct held_piece *all;

    if (p->first > 0 && p->first >= p->room / 2) {
        memmove(p->all, p->all + p->first, count * sizeof(*p->all));
        p->number += p->first;
        p->first = 0;
        p->end = count;
        return true;
    }
    p->room = p->room ? 2 * p->room : MIN_ROOM;
    all = realloc(p->all, p->room * sizeof(*all));
    if (all)
        p->all = all;
    return all;
}

struct held_piece *pieces_add(struct pieces *p, uint64_t *number)
{
    if (p->end == p->room && !make_room(p))
        return NULL;
    *number = p->number + p->end;
    p->all[p->end] = (struct held_piece){ .state = PIECE_OUT };
    return &p->all[p->end++];
}

struct held_piece *pieces_first(const struct pieces *p)
{
    return p->first < p->end ? &p->all[p->first] : NULL;
}

struct held_piece *pieces_last(const struct pieces *p)
{
    return p->first < p->end ? &p->all[p->end - 1] : NULL;
}

struct held_piece *pieces_find(const struct pieces *p, uint64_t number)
{
    if (number < p->number + p->first || number >= p->number + p->end)
        return NULL;
    return &p->all[number - p->number];
}

void pieces_remove_first(struct pieces *p)
{
    struct held_piece *piece = &p->all[p->first++];

    free(piece->data);
    free(piece->error);
}

void pieces_free(struct pieces *p)
{
    while (p->first < p->end)
        pieces_remove_first(p);
    free(p->all);
}
