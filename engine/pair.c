/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plan two images in lockstep, to be compared. A slot is the same range of both
 * disks, up to the end of the shorter one, and its block is a sector.
 *
 * Sectors that are zeros in both become a number, however many they are: they
 * are equal without a look. So are bytes that both images have in the same
 * place of the same file, such as a common backing file. Everything else
 * becomes reads of a pair of jobs, packed alike.
 */
#include "engine/source.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "engine/cursor.h"

struct pair_source {
    struct source source;
    struct cursor cursors[2]; /* at the same offset */
    uint64_t end;             /* of what is compared */
};

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Get the extents of both images at the current offset, of the same length. */
static int current_extents(struct pair_source *s, struct extent extents[2],
                           struct error *error)
{
    uint64_t length = s->end - s->cursors[0].offset;

    for (int i = 0; i < 2; i++) {
        int err = cursor_extent(&s->cursors[i], s->end, &extents[i], error);

        if (err)
            return err;
        length = min(length, extents[i].length);
    }
    for (int i = 0; i < 2; i++)
        extents[i].length = length;
    return 0;
}

static void advance(struct pair_source *s, uint64_t n)
{
    for (int i = 0; i < 2; i++)
        s->cursors[i].offset += n;
}

static bool both_zero(const struct extent extents[2])
{
    return extents[0].kind == EXTENT_ZERO && extents[1].kind == EXTENT_ZERO;
}

/* Whether both are the same bytes of the same object. */
static bool same_bytes(const struct extent extents[2])
{
    const struct extent *a = &extents[0], *b = &extents[1];

    if (a->kind != b->kind || a->kind == EXTENT_ZERO ||
        a->host_offset != b->host_offset ||
        !reader_same_object(a->reader, b->reader))
        return false;
    return a->kind == EXTENT_DATA ||
           (a->skip == b->skip && a->codec == b->codec &&
            a->cluster_size == b->cluster_size);
}

/* Add whole sectors that are equal without a look, where there are any, at the
 * start of a sector. */
static bool add_equal(struct pair_source *s, const struct extent extents[2],
                      struct slot *slot)
{
    uint64_t sectors = extents[0].length / SECTOR_SIZE;

    if (sectors == 0 || !(both_zero(extents) || same_bytes(extents)))
        return false;
    slot_add_zero(slot, sectors);
    slot->hole += sectors * SECTOR_SIZE;
    advance(s, sectors * SECTOR_SIZE);
    return true;
}

static int add_part(struct job *job, const struct extent *extent)
{
    return extent->kind == EXTENT_COMPRESSED ? job_add_cluster(job, extent)
                                             : job_add_read(job, extent);
}

/* Add as much of the extents as fits in the buffers; of zeros in both, only up
 * to the end of the sector. */
static int add_data(struct pair_source *s, struct extent extents[2],
                    struct slot *slot, struct job *job, struct error *error)
{
    size_t in_sector = job->len % SECTOR_SIZE;
    size_t sectors_before = (job->len + SECTOR_SIZE - 1) / SECTOR_SIZE;
    uint64_t room =
        both_zero(extents) ? SECTOR_SIZE - in_sector : job->capacity - job->len;

    for (int i = 0; i < 2; i++)
        extents[i].length = min(extents[i].length, room);
    if (add_part(job, &extents[0]) || add_part(job->second, &extents[1]))
        return error_no_memory(error, s->source.name);
    slot_add_data(slot,
                  (job->len + SECTOR_SIZE - 1) / SECTOR_SIZE - sectors_before);
    advance(s, extents[0].length);
    return 0;
}

/* Whether a slot ends here, before a sector that begins with these extents. */
static bool is_full(const struct pair_source *s, const struct slot *slot,
                    const struct job *job)
{
    if (job->len == job->capacity || slot_is_full(slot) ||
        job->read_count >= JOB_READS || job->second->read_count >= JOB_READS)
        return true;
    for (int i = 0; i < 2; i++) {
        const struct extent *e = &s->cursors[i].extent;
        uint64_t left = e->offset + e->length - s->cursors[i].offset;

        if (s->cursors[i].asked > SLOT_EXTENTS)
            return true;
        /* A cluster that is cut in two is decoded twice. */
        if (e->kind == EXTENT_COMPRESSED && job->len > 0 &&
            left > job->capacity - job->len)
            return true;
    }
    return false;
}

/* Plan extents until the slot is full. */
static int fill(struct pair_source *s, struct slot *slot, struct job *job,
                struct error *error)
{
    while (s->cursors[0].offset < s->end) {
        struct extent extents[2];
        bool at_edge = job->len % SECTOR_SIZE == 0;
        int err = current_extents(s, extents, error);

        if (err)
            return err;
        if (at_edge && is_full(s, slot, job))
            break;
        if (at_edge && add_equal(s, extents, slot))
            continue;
        err = add_data(s, extents, slot, job, error);
        if (err)
            return err;
    }
    return 0;
}

static int pair_next(struct source *source, struct slot *slot, struct job *job,
                     struct error *error)
{
    struct pair_source *s = (struct pair_source *)source;
    uint64_t start = s->cursors[0].offset;
    int err;

    s->cursors[0].asked = s->cursors[1].asked = 0;
    slot->offset = start;
    err = fill(s, slot, job, error);
    slot->length = s->cursors[0].offset - start;
    /* An empty slot is the end. */
    assert(err || slot->length > 0 || start == s->end);
    return err;
}

static void pair_free(struct source *source)
{
    free(source);
}

int pair_source_new(const struct engine_input *input, struct source **source)
{
    struct image *a = input->image, *b = input->other;
    struct pair_source *s = calloc(1, sizeof(*s));
    uint64_t start = 0;

    if (!s)
        return ENOMEM;
    s->end = min(a->size, b->size);
    if (input->is_part) {
        start = min(input->first_block * SECTOR_SIZE, s->end);
        s->end = min(start + input->blocks * SECTOR_SIZE, s->end);
    }
    s->source = (struct source){
        .next = pair_next,
        .free = pair_free,
        .name = a->name,
        .second_name = b->name,
        .block_size = SECTOR_SIZE,
        .size = s->end - start,
    };
    s->cursors[0].image = a;
    s->cursors[1].image = b;
    s->cursors[0].offset = s->cursors[1].offset = start;
    *source = &s->source;
    return 0;
}
