/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plan an image as slots.
 *
 * Blocks whose digests are known are not even mapped. Of the others, whole
 * blocks of zeros become a number. Everything else becomes reads that fill the
 * buffer, block after block, until it is full. Where zeros share a block with
 * data, the worker writes them into the buffer.
 */
#include "engine/source.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/debug.h"
#include "engine/cursor.h"

/* The most hole, and the most zero blocks of a hash, in a slot. Their digests
 * take some milliseconds; then the progress moves on, and an error is noticed.
 */
#define SLOT_HOLE (16 * GiB)
#define SLOT_ZERO_BLOCKS (256 * 1024)

/* The same with a plain hash, which hashes each byte of a hole. */
#define SLOT_PLAIN_HOLE (64 * MiB)

struct image_source {
    struct source source;
    struct cursor cursor;
    uint64_t end;         /* of what is hashed */
    uint64_t zero_blocks; /* the most in a slot, with those that are known */

    struct known *known;  /* NULL: nothing is known */
    struct known_run run; /* what is left of the last answer */
    uint64_t unknown_end; /* up to here nothing is known */
    size_t md_size;
    size_t known_room; /* the most digests in a slot */
};

/* How many more blocks that are not read a slot may have. */
static uint64_t hole_room(const struct image_source *s, const struct slot *slot)
{
    return s->zero_blocks - (slot->hole + slot->known) / s->source.block_size;
}

/* --- blocks whose digests are known ------------------------------------- */

/* Ask what is known at the current offset. A short block at the end is not a
 * whole block of zeros, whatever a list says. */
static int ask_known(struct image_source *s, struct error *error)
{
    size_t block_size = s->source.block_size;
    uint64_t offset = s->cursor.offset;
    uint64_t whole = (s->end - offset) / block_size;
    int err = known_next(s->known, offset / block_size, whole ? whole : 1,
                         &s->run, error);

    if (err)
        return err;
    s->cursor.asked++;
    if (s->run.kind == KNOWN_NOT || (s->run.kind == KNOWN_ZERO && whole == 0)) {
        s->unknown_end = whole ? offset + s->run.blocks * block_size : s->end;
        s->run.blocks = 0;
    }
    return 0;
}

/* How many more blocks like those that were found a slot may have. */
static uint64_t known_room(const struct image_source *s,
                           const struct slot *slot)
{
    uint64_t zeros = hole_room(s, slot);
    uint64_t digests = s->known_room - slot->known_blocks;

    return s->run.kind == KNOWN_DIGESTS && digests < zeros ? digests : zeros;
}

/* Add blocks whose digests are known, where there are any, at the start of a
 * block. There is room for one. */
static int add_known(struct image_source *s, struct slot *slot, bool *added,
                     struct error *error)
{
    uint64_t start = s->cursor.offset;
    uint64_t blocks;
    int err = 0;

    if (s->run.blocks == 0 && start == s->unknown_end)
        err = ask_known(s, error);
    *added = s->run.blocks > 0;
    if (err || !*added)
        return err;

    blocks = known_room(s, slot);
    if (blocks > s->run.blocks)
        blocks = s->run.blocks;
    if (s->run.kind == KNOWN_ZERO)
        slot_add_zero(slot, blocks);
    else if (slot_add_known(slot, s->run.mds, blocks, s->md_size,
                            s->known_room))
        return error_no_memory(error, s->source.name);
    else
        s->run.mds += blocks * s->md_size;
    s->run.blocks -= blocks;

    s->cursor.offset += blocks * s->source.block_size;
    if (s->cursor.offset > s->end)
        s->cursor.offset = s->end;
    s->unknown_end = s->cursor.offset;
    slot->known += s->cursor.offset - start;
    debug(DEBUG_MAP, "guest %" PRIu64 "+%" PRIu64 ": known", start,
          s->cursor.offset - start);
    return 0;
}

/* --- others ------------------------------------------------------------- */

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

/* --- slots -------------------------------------------------------------- */

/* Whether a slot ends here, at the start of a block. */
static bool is_full(const struct image_source *s, const struct slot *slot,
                    const struct job *job)
{
    return job->len == job->capacity || job->read_count >= JOB_READS ||
           slot_is_full(slot) || hole_room(s, slot) == 0 ||
           (s->known && slot->known_blocks == s->known_room) ||
           s->cursor.asked > SLOT_EXTENTS;
}

/* Whether a slot ends before this extent: a cluster that is cut in two is
 * decoded twice. */
static bool cuts_cluster(const struct job *job, const struct extent *extent)
{
    return extent->kind == EXTENT_COMPRESSED && job->len > 0 &&
           extent->length > job->capacity - job->len;
}

/* Plan extents until the slot is full. */
static int fill(struct image_source *s, struct slot *slot, struct job *job,
                struct error *error)
{
    int err = 0;

    while (!err && s->cursor.offset < s->end) {
        bool at_edge = job->len % s->source.block_size == 0;
        bool added = false;
        struct extent extent;

        if (at_edge && is_full(s, slot, job))
            break;
        if (at_edge && s->known)
            err = add_known(s, slot, &added, error);
        if (err || added)
            continue;
        err = cursor_extent(&s->cursor, s->unknown_end, &extent, error);
        if (err)
            break;
        if (at_edge && cuts_cluster(job, &extent))
            break;
        if (!at_edge || !add_hole(s, &extent, slot))
            err = add_data(s, &extent, slot, job, error);
    }
    return err;
}

static int image_next(struct source *source, struct slot *slot, struct job *job,
                      struct error *error)
{
    struct image_source *s = (struct image_source *)source;
    uint64_t start = s->cursor.offset;
    int err;

    s->cursor.asked = 0;
    slot->offset = start;
    err = fill(s, slot, job, error);
    slot->length = s->cursor.offset - start;
    /* An empty slot is the end. */
    assert(err || slot->length > 0 || start == s->end);
    return err;
}

static void image_source_free(struct source *source)
{
    free(source);
}

/* The most zero blocks in a slot, but at least one. */
static uint64_t most_zero_blocks(const struct hashes *h)
{
    uint64_t most = (uint64_t)SLOT_ZERO_BLOCKS * h->smallest;

    if (most > SLOT_HOLE)
        most = SLOT_HOLE;
    if (h->plain_count && most > SLOT_PLAIN_HOLE)
        most = SLOT_PLAIN_HOLE;
    return most > h->block_size ? most / h->block_size : 1;
}

/* Find where a part of an image is. */
static void find_part(const struct engine_input *input, uint64_t block_size,
                      uint64_t *start, uint64_t *end)
{
    *start = 0;
    *end = input->image->size;
    if (!input->is_part)
        return;
    assert(input->first_block <= *end / block_size + 1);
    if (input->first_block > *end / block_size)
        *start = *end; /* after a short block */
    else
        *start = input->first_block * block_size;
    if (input->blocks <= (*end - *start) / block_size)
        *end = *start + input->blocks * block_size;
}

bool image_source_is_whole(const struct engine_input *input, size_t block_size)
{
    uint64_t start, end;

    find_part(input, block_size, &start, &end);
    return start == 0 && end == input->image->size;
}

int image_source_new(const struct engine_input *input,
                     const struct hashes *hashes, size_t known_room,
                     struct source **source)
{
    size_t block_size = hashes->block_size;
    struct image_source *s = calloc(1, sizeof(*s));
    uint64_t start;

    if (!s)
        return ENOMEM;
    find_part(input, block_size, &start, &s->end);
    s->source = (struct source){
        .next = image_next,
        .free = image_source_free,
        .name = input->image->name,
        .block_size = block_size,
        .size = s->end - start,
    };
    s->cursor.image = input->image;
    s->cursor.offset = start;
    s->known = input->known;
    s->unknown_end = s->known ? start : s->end;
    s->md_size = hashes->blocks[0].md_size; /* with others, nothing is known */
    s->known_room = known_room;
    s->zero_blocks = most_zero_blocks(hashes);
    *source = &s->source;
    return 0;
}
