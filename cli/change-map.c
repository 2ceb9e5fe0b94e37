/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/change-map.h"

#include <stdlib.h>

/* Two bits for each unit are 128 MiB. So a disk of 32 TiB has units of 64 KiB,
 * the default block size. */
#define MAX_UNITS (UINT64_C(1) << 29)

/* A disk is written by sectors. */
#define MIN_UNIT_BITS 9

#define WORD_BITS 64

struct change_map {
    struct changes changes;
    uint64_t size;
    unsigned unit_bits; /* a unit has 2^unit_bits bytes */
    uint64_t units;
    uint64_t *changed;   /* a bit for each unit */
    uint64_t *unchanged; /* likewise; NULL: all that are not changed */

    /* The range that was last added as unchanged: the next one may go on in the
     * middle of a unit. */
    uint64_t start;
    uint64_t end;
};

static int map_next(struct changes *changes, uint64_t offset, uint64_t length,
                    struct change *change, struct error *error);

static void map_free(struct changes *changes)
{
    change_map_free((struct change_map *)changes);
}

static uint64_t *bits_new(uint64_t count)
{
    return calloc(count / WORD_BITS + 1, sizeof(uint64_t));
}

struct change_map *change_map_new(uint64_t size,
                                  enum change_default default_change)
{
    struct change_map *map = calloc(1, sizeof(*map));

    if (!map)
        return NULL;
    map->changes = (struct changes){ .next = map_next, .free = map_free };
    map->size = size;
    map->unit_bits = MIN_UNIT_BITS;
    while ((size - 1) >> map->unit_bits >= MAX_UNITS)
        map->unit_bits++;
    map->units = ((size - 1) >> map->unit_bits) + 1;
    map->changed = bits_new(map->units);
    if (default_change == DEFAULT_CHANGED)
        map->unchanged = bits_new(map->units);
    if (map->changed && (default_change != DEFAULT_CHANGED || map->unchanged))
        return map;
    change_map_free(map);
    return NULL;
}

void change_map_free(struct change_map *map)
{
    if (!map)
        return;
    free(map->changed);
    free(map->unchanged);
    free(map);
}

/* --- add ---------------------------------------------------------------- */

/* Set the bits from first to before end. */
static void set_bits(uint64_t *bits, uint64_t first, uint64_t end)
{
    while (first < end) {
        unsigned shift = first % WORD_BITS;
        uint64_t count = WORD_BITS - shift;

        if (count > end - first)
            count = end - first;
        bits[first / WORD_BITS] |= ~UINT64_C(0) >> (WORD_BITS - count) << shift;
        first += count;
    }
}

/* Set the units that are whole in the range. The last one may be short. */
static void flush_unchanged(struct change_map *map)
{
    uint64_t unit = UINT64_C(1) << map->unit_bits;
    uint64_t first =
        (map->start >> map->unit_bits) + (map->start % unit ? 1 : 0);
    uint64_t end =
        map->end == map->size ? map->units : map->end >> map->unit_bits;

    set_bits(map->unchanged, first, end);
    map->start = map->end = 0;
}

void change_map_add(struct change_map *map, uint64_t offset, uint64_t length,
                    bool changed)
{
    uint64_t end = offset + length;

    assert(end >= offset && end <= map->size);
    if (length == 0)
        return;
    if (changed) {
        set_bits(map->changed, offset >> map->unit_bits,
                 ((end - 1) >> map->unit_bits) + 1);
    } else if (map->unchanged) {
        if (offset != map->end)
            flush_unchanged(map);
        if (map->start == map->end)
            map->start = offset;
        map->end = end;
    }
}

struct changes *change_map_finish(struct change_map *map)
{
    if (map->unchanged)
        flush_unchanged(map);
    return &map->changes;
}

/* --- ask ---------------------------------------------------------------- */

/* 64 units, from a multiple of that on: a bit is set if the unit has changed.
 */
static uint64_t get_word(const struct change_map *map, uint64_t n)
{
    return map->changed[n] | (map->unchanged ? ~map->unchanged[n] : 0);
}

/* The end of the run of units from first on that have changed, or have not. */
static uint64_t find_end(const struct change_map *map, uint64_t first,
                         uint64_t limit, bool changed)
{
    uint64_t unit = first;

    while (unit < limit) {
        uint64_t word = get_word(map, unit / WORD_BITS);
        uint64_t other = (changed ? ~word : word) >> unit % WORD_BITS
                                                         << unit % WORD_BITS;

        unit -= unit % WORD_BITS;
        if (other) {
            unit += __builtin_ctzll(other);
            break;
        }
        unit += WORD_BITS;
    }
    return unit < limit ? unit : limit;
}

static int map_next(struct changes *changes, uint64_t offset, uint64_t length,
                    struct change *change, struct error *error)
{
    const struct change_map *map = (const struct change_map *)changes;
    uint64_t unit = offset >> map->unit_bits;
    uint64_t limit = ((offset + length - 1) >> map->unit_bits) + 1;
    uint64_t end;

    (void)error;
    change->changed = get_word(map, unit / WORD_BITS) >> unit % WORD_BITS & 1;
    end = find_end(map, unit, limit, change->changed) << map->unit_bits;
    change->length = end - offset < length ? end - offset : length;
    return 0;
}
