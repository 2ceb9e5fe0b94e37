/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plan an image as slots.
 *
 * Whole blocks of zeros become a number. Everything else becomes reads that
 * fill the buffer, block after block, until it is full. Where zeros share a
 * block with data, the worker writes them into the buffer.
 */
#include "engine/source.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "engine/cursor.h"

/* The most hole, and the most zero blocks, in a slot. Their digests take some
 * milliseconds; then the progress moves on, and an error is noticed. */
#define SLOT_HOLE (16 * GiB)
#define SLOT_ZERO_BLOCKS (256 * 1024)

struct image_source {
    struct source source;
    struct cursor cursor;
    uint64_t zero_blocks; /* the most in a slot */
};

/* How many more zero blocks a slot may have. */
static uint64_t hole_room(const struct image_source *s, const struct slot *slot)
{
    return s->zero_blocks - slot->hole / s->source.block_size;
}

/* Add whole blocks of zeros, where there are any, at the start of a block. */
static bool add_hole(struct image_source *s, const struct extent *extent,
                     struct slot *slot)
{
    uint64_t blocks = extent->length / s->source.block_size;

    if (extent->kind != EXTENT_ZERO || blocks == 0)
        return false;
    if (blocks > hole_room(s, slot))
        blocks = hole_room(s, slot);
    slot_add_zero(slot, blocks);
    slot->hole += blocks * s->source.block_size;
    s->cursor.offset += blocks * s->source.block_size;
    return true;
}

/* Add as much of the extent as fits in the buffer; of zeros, only up to the end
 * of the block. */
static int add_data(struct image_source *s, struct extent *extent,
                    struct slot *slot, struct job *job, struct error *error)
{
    size_t block_size = s->source.block_size;
    size_t in_block = job->len % block_size;
    size_t blocks_before = job->len / block_size + (in_block != 0);
    uint64_t room = job->capacity - job->len;
    int err;

    if (extent->kind == EXTENT_ZERO)
        room = block_size - in_block;
    if (extent->length > room)
        extent->length = room;

    if (extent->kind == EXTENT_COMPRESSED)
        err = job_add_cluster(job, extent);
    else
        err = job_add_read(job, extent);
    if (err)
        return error_no_memory(error, s->source.name);
    slot_add_data(slot,
                  (job->len + block_size - 1) / block_size - blocks_before);
    s->cursor.offset += extent->length;
    return 0;
}

/* Whether a slot ends here, before a block that begins with this extent. */
static bool is_full(const struct image_source *s, const struct slot *slot,
                    const struct job *job, const struct extent *extent)
{
    if (job->len == job->capacity || job->read_count >= JOB_READS ||
        slot_is_full(slot) || hole_room(s, slot) == 0 ||
        s->cursor.asked > SLOT_EXTENTS)
        return true;
    /* A cluster that is cut in two is decoded twice. */
    return extent->kind == EXTENT_COMPRESSED && job->len > 0 &&
           extent->length > job->capacity - job->len;
}

/* Plan extents until the slot is full. */
static int fill(struct image_source *s, struct slot *slot, struct job *job,
                struct error *error)
{
    while (s->cursor.offset < s->cursor.image->size) {
        struct extent extent;
        bool at_edge = job->len % s->source.block_size == 0;
        int err;

        err = cursor_extent(&s->cursor, &extent, error);
        if (err)
            return err;
        if (at_edge && is_full(s, slot, job, &extent))
            break;
        if (at_edge && add_hole(s, &extent, slot))
            continue;
        err = add_data(s, &extent, slot, job, error);
        if (err)
            return err;
    }
    return 0;
}

static int image_next(struct source *source, struct slot *slot, struct job *job,
                      struct error *error)
{
    struct image_source *s = (struct image_source *)source;
    uint64_t start = s->cursor.offset;
    int err;

    s->cursor.asked = 0;
    err = fill(s, slot, job, error);
    slot->length = s->cursor.offset - start;
    /* An empty slot is the end. */
    assert(err || slot->length > 0 || start == s->cursor.image->size);
    return err;
}

static void image_source_free(struct source *source)
{
    free(source);
}

int image_source_new(struct image *image, size_t block_size,
                     struct source **source)
{
    struct image_source *s = calloc(1, sizeof(*s));

    if (!s)
        return ENOMEM;
    s->source = (struct source){
        .next = image_next,
        .free = image_source_free,
        .name = image->name,
        .block_size = block_size,
        .size = image->size,
    };
    s->cursor.image = image;
    s->zero_blocks = SLOT_HOLE / block_size;
    if (s->zero_blocks > SLOT_ZERO_BLOCKS)
        s->zero_blocks = SLOT_ZERO_BLOCKS;
    *source = &s->source;
    return 0;
}
