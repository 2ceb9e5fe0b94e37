/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list/parts.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* Ranges that one message has. A person reads it. */
#define MAX_RANGES 64

/* The numbers of parts that are tried. Of a disk with many blocks in each part
 * only a few come into question; with so few blocks, all numbers fit. */
#define MAX_TRIES 65536

/* Enough for the ranges, and the words around them. */
#define TEXT_SIZE (MAX_RANGES * sizeof("4294967295-4294967295,") + 128)

uint64_t parts_first_block(uint64_t blocks, unsigned part, unsigned count)
{
    return blocks / count * part + blocks % count * part / count;
}

/* The part that has a block. */
static unsigned part_of(uint64_t block, uint64_t blocks, unsigned count)
{
    unsigned low = 0, high = count;

    while (high - low > 1) {
        unsigned middle = low + (high - low) / 2;

        if (parts_first_block(blocks, middle, count) <= block)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* --- how many parts there are ------------------------------------------- */

/* Whether a list can be one of so many parts. Where there are more parts than
 * blocks, some have none: they are anywhere. */
static bool list_fits(const struct parts_list *list, uint64_t blocks,
                      unsigned count)
{
    unsigned part;

    if (list->first >= blocks || (list->is_good && list->blocks == 0))
        return true;
    part = part_of(list->first, blocks, count);
    return parts_first_block(blocks, part, count) == list->first &&
           (!list->is_good || parts_first_block(blocks, part + 1, count) ==
                                  list->first + list->blocks);
}

static bool all_fit(const struct parts_list *lists, size_t list_count,
                    uint64_t blocks, uint64_t count)
{
    if (count < 1 || count > UINT_MAX)
        return false;
    for (size_t i = 0; i < list_count; i++) {
        if (!list_fits(&lists[i], blocks, (unsigned)count))
            return false;
    }
    return true;
}

/* The numbers of parts of which one can have so many blocks: a part has
 * blocks / count, rounded down or up. */
static void find_range(const struct parts_list *lists, size_t list_count,
                       uint64_t blocks, uint64_t *min, uint64_t *max)
{
    *min = 1;
    *max = 0;
    for (size_t i = 0; i < list_count; i++) {
        uint64_t n = lists[i].is_good ? lists[i].blocks : 0;

        if (n == 0)
            continue;
        *min = blocks / (n + 1) + 1;
        *max = n == 1 ? UINT64_MAX : (blocks - 1) / (n - 1);
        return;
    }
}

unsigned parts_find_count(const struct parts_list *lists, size_t list_count,
                          uint64_t blocks, size_t named)
{
    uint64_t min, max;
    uint64_t found = 0;

    if (all_fit(lists, list_count, blocks, named))
        return (unsigned)named;
    find_range(lists, list_count, blocks, &min, &max);
    if (max >= min && max - min >= MAX_TRIES)
        return 0;
    for (uint64_t count = min; count <= max; count++) {
        if (!all_fit(lists, list_count, blocks, count))
            continue;
        if (found)
            return 0;
        found = count;
    }
    return (unsigned)found;
}

/* --- which are missing ---------------------------------------------------- */

struct missing {
    char text[TEXT_SIZE]; /* ranges, with a comma before each */
    size_t len;
    unsigned ranges;
    uint64_t parts;
    uint64_t not_named;
};

/* Parts from first to before end. If all of them have no block, none of them is
 * needed. */
static void add_range(struct missing *m, uint64_t blocks, unsigned count,
                      unsigned first, unsigned end)
{
    char *text = m->text + m->len;
    const size_t size = sizeof(m->text) - m->len;

    if (first >= end || parts_first_block(blocks, first, count) ==
                            parts_first_block(blocks, end, count))
        return;
    m->parts += end - first;
    if (m->ranges == MAX_RANGES) {
        m->not_named += end - first;
        return;
    }
    m->ranges++;
    if (end - first == 1)
        m->len += snprintf(text, size, ",%u", end);
    else
        m->len += snprintf(text, size, ",%u-%u", first + 1, end);
    assert(m->len < sizeof(m->text));
}

/* The ranges, without the first comma, in a sentence. */
static char *write_missing(const struct missing *m, unsigned count)
{
    const char *ranges = m->text + 1;
    char *text = malloc(TEXT_SIZE);

    if (!text)
        return NULL;
    if (m->parts == 1)
        snprintf(text, TEXT_SIZE, "part %s/%u is missing", ranges, count);
    else if (m->not_named)
        snprintf(text, TEXT_SIZE,
                 "parts %s/%u and %" PRIu64 " more are missing", ranges, count,
                 m->not_named);
    else
        snprintf(text, TEXT_SIZE, "parts %s/%u are missing", ranges, count);
    return text;
}

char *parts_missing(const struct parts_list *lists, size_t list_count,
                    uint64_t blocks, unsigned count)
{
    struct missing m = { .len = 0 };
    unsigned next = 0;

    for (size_t i = 0; i < list_count; i++) {
        unsigned part;

        if (!lists[i].is_good || lists[i].blocks == 0)
            continue;
        part = part_of(lists[i].first, blocks, count);
        add_range(&m, blocks, count, next, part);
        if (part >= next)
            next = part + 1;
    }
    add_range(&m, blocks, count, next, count);
    return m.parts ? write_missing(&m, count) : NULL;
}
