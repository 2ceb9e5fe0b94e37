/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/cut.h"

#include "common/bytes.h"
#include "common/units.h"

/* A slice ends before a hole of this size. A smaller one takes a worker less
 * time than to begin another slice. */
#define HOLE_SIZE (64 * MiB)

/* A slice ends after so many extents, so that rank 0 does not look at metadata
 * for long. */
#define MAX_EXTENTS 4096

void cut_init(struct cut *c, struct image *image, struct image *other,
              uint64_t block_size)
{
    *c = (struct cut){
        .image = image,
        .other = other,
        .size = image->size,
        .block_size = block_size,
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

int cut_next(struct cut *c, uint64_t max_data, struct piece *piece,
             struct error *error)
{
    uint64_t end = c->offset, data = 0;
    unsigned extents = 0;

    *piece = (struct piece){ .hole = false };
    while (end < c->size && data < max_data && extents < MAX_EXTENTS) {
        uint64_t first, last;
        struct extent e;
        int err = map(c, end, &e, error);

        if (err)
            return err;
        extents++;
        if (e.kind != EXTENT_ZERO) {
            bool all = e.length <= max_data - data;

            end += all ? e.length : max_data - data;
            data += all ? e.length : max_data - data;
            if (!all)
                end = align(c, end);
            continue;
        }
        if (whole_blocks(c, end, end + e.length, &first, &last)) {
            if (first == c->offset) {
                piece->hole = true;
                end_piece(c, last, piece);
                return 0;
            }
            if (last - first >= HOLE_SIZE) {
                end = first;
                break;
            }
        }
        end += e.length;
    }
    end_slice(c, end, data, extents, piece);
    return 0;
}
