/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/cut.h"

#include "common/bytes.h"
#include "common/clock.h"
#include "common/units.h"

/* A slice ends before a hole of this size. A smaller one takes a worker less
 * time than to begin another slice. */
#define HOLE_SIZE (64 * MiB)

/* A piece ends after so many extents, or so long, so that rank 0 does not look
 * at metadata for long: it has messages to serve. A server may need a round
 * trip for each extent. */
#define MAX_EXTENTS 4096
#define MAX_SECONDS 0.005

void cut_init(struct cut *c, struct image *image, struct image *other,
              uint64_t block_size)
{
    *c = (struct cut){
        .image = image,
        .other = other,
        .size = image->size,
        .block_size = block_size,
        .max_seconds = MAX_SECONDS,
    };
    if (other && other->size < c->size)
        c->size = other->size;
}

bool cut_is_at_end(const struct cut *c)
{
    return c->offset == c->size;
}

uint64_t cut_left(const struct cut *c)
{
    uint64_t size = c->size - c->offset;
    uint64_t allocated = c->other ? 0 : image_allocated(c->image);
    uint64_t left = allocated > c->data ? allocated - c->data : 0;

    return allocated && left < size ? left : size;
}

/* The whole blocks in a range. False: there is none. */
static bool whole_blocks(const struct cut *c, uint64_t offset, uint64_t end,
                         uint64_t *first, uint64_t *last)
{
    *first = round_up(offset, c->block_size);
    *last = end - end % c->block_size;
    return *last > *first;
}

/* A slice that ends in the middle of an extent may as well end where the next
 * table of the image begins, if it is much longer than that. Then no two ranks
 * read the same table. */
static uint64_t align(const struct cut *c, uint64_t end)
{
    uint64_t span = c->image->table_span;
    uint64_t aligned;

    if (span == 0 || span % c->block_size || end - c->offset < 2 * span)
        return end;
    aligned = (c->image->start + end) / span * span - c->image->start;
    return aligned % c->block_size ? end : aligned;
}

static void end_piece(struct cut *c, uint64_t end, struct piece *piece)
{
    piece->first_block = c->offset / c->block_size;
    piece->blocks = (end - c->offset + c->block_size - 1) / c->block_size;
    c->offset = end;
}

/* Where the slice ends that has been looked at up to `end`. */
static void end_slice(struct cut *c, uint64_t end, uint64_t data,
                      unsigned extents, struct piece *piece)
{
    /* Each extent may begin and end within a block. */
    uint64_t digests = data / c->block_size + 2 * (uint64_t)extents;

    end = round_up(end, c->block_size);
    if (end > c->size)
        end = c->size;
    c->data += data;
    end_piece(c, end, piece);
    piece->digests = digests < piece->blocks ? digests : piece->blocks;
}

/* Map a range. Of two images, a hole is what is zeros in both. */
static int map(const struct cut *c, uint64_t offset, struct extent *e,
               struct error *error)
{
    int err = image_map(c->image, offset, c->size - offset, e, error);
    struct extent other;

    if (err || !c->other)
        return err;
    err = image_map(c->other, offset, e->length, &other, error);
    if (err)
        return err;
    if (other.length < e->length)
        e->length = other.length;
    if (e->kind == EXTENT_ZERO)
        e->kind = other.kind;
    return 0;
}

/* How far a piece goes. */
struct look {
    double start;
    uint64_t end;  /* of what has been looked at */
    uint64_t hole; /* zeros begin here, up to the end */
    uint64_t data; /* bytes that are not zeros */
    unsigned extents;
};

static bool is_long_enough(const struct cut *c, const struct look *l,
                           uint64_t max_data)
{
    return l->data >= max_data || l->extents >= MAX_EXTENTS ||
           (l->extents > 0 && clock_seconds() - l->start > c->max_seconds);
}

static void add_data(const struct cut *c, struct look *l, uint64_t length,
                     uint64_t max_data)
{
    uint64_t room = max_data - l->data;
    bool all = length <= room;

    l->end += all ? length : room;
    l->data += all ? length : room;
    if (!all)
        l->end = align(c, l->end);
    l->hole = l->end;
}

/* Look at the map: at a hole at the beginning, to its end, or at a slice, up to
 * a large hole. What follows a hole may be another one. */
static int look_ahead(const struct cut *c, uint64_t max_data, struct look *l,
                      struct error *error)
{
    uint64_t first, last;

    while (l->end < c->size && !is_long_enough(c, l, max_data)) {
        struct extent e;
        int err = map(c, l->end, &e, error);

        if (err)
            return err;
        l->extents++;
        if (e.kind == EXTENT_ZERO) {
            l->end += e.length;
            if (l->hole > c->offset &&
                whole_blocks(c, l->hole, l->end, &first, &last) &&
                last - first >= HOLE_SIZE)
                return 0;
        } else if (l->hole == c->offset &&
                   whole_blocks(c, l->hole, l->end, &first, &last)) {
            return 0;
        } else {
            add_data(c, l, e.length, max_data);
        }
    }
    return 0;
}

int cut_next(struct cut *c, uint64_t max_data, struct piece *piece,
             struct error *error)
{
    struct look l = {
        .start = clock_seconds(),
        .end = c->offset,
        .hole = c->offset,
    };
    uint64_t first, last;
    int err = look_ahead(c, max_data, &l, error);
    bool hole = !err && whole_blocks(c, l.hole, l.end, &first, &last);

    *piece = (struct piece){ .hole = hole && first == c->offset };
    if (err)
        return err;
    if (piece->hole) {
        end_piece(c, last, piece);
        return 0;
    }
    if (hole && last - first >= HOLE_SIZE)
        l.end = first;
    end_slice(c, l.end, l.data, l.extents, piece);
    return 0;
}
