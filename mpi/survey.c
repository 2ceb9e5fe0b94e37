/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/survey.h"

#include <stdlib.h>

#include "common/units.h"
#include "mpi/comm.h"
#include "mpi/protocol.h"

/* So many batches for each rank, to leave the last ones something to do. */
#define BATCHES 8

/* The most images in a batch: a message with their names is still a short one.
 */
#define MAX_BATCH 64

/* An image up to this size is not worth to be divided. */
#define MIN_LIMIT (64 * MiB)

/* While there are so many images left for each rank, one rank hashes an image
 * that is not larger than this: to open it on all of them would take longer. */
#define MANY_IMAGES 16
#define MAX_LIMIT (16 * GiB)

void survey_begin(struct survey *s, char **names, uint64_t count, int ranks)
{
    *s = (struct survey){ .names = names, .count = count, .ranks = ranks };
}

bool survey_is_handed_out(const struct survey *s)
{
    return s->next == s->count && s->returned_count == 0;
}

static uint64_t batch_size(const struct survey *s)
{
    uint64_t size = (s->count - s->next) / ((uint64_t)s->ranks * BATCHES);

    return size < 1 ? 1 : size > MAX_BATCH ? MAX_BATCH : size;
}

static struct range next_batch(struct survey *s)
{
    struct range range;

    if (s->returned_count > 0)
        return s->returned[--s->returned_count];
    range = (struct range){ s->next, batch_size(s) };
    s->next += range.count;
    return range;
}

bool survey_give(struct survey *s, int rank)
{
    bool many = (s->count - s->next) / MANY_IMAGES > (uint64_t)s->ranks;
    struct wire w = { .data = NULL };
    struct range batch;

    if (survey_is_handed_out(s))
        return false;
    batch = next_batch(s);
    wire_put_number(&w, MESSAGE_IMAGES);
    wire_put_number(&w, batch.first);
    wire_put_number(&w, batch.count);
    wire_put_number(&w, many ? MAX_LIMIT : MIN_LIMIT);
    for (uint64_t i = 0; i < batch.count; i++)
        wire_put_text(&w, s->names[batch.first + i]);
    wire_send(&w, rank);
    return true;
}

void survey_take(struct survey *s, uint64_t first, uint64_t done,
                 uint64_t count)
{
    struct range *returned;

    if (done == count)
        return;
    returned =
        realloc(s->returned, (s->returned_count + 1) * sizeof(*s->returned));
    if (!returned)
        comm_out_of_memory();
    s->returned = returned;
    s->returned[s->returned_count++] =
        (struct range){ first + done, count - done };
}

void survey_free(struct survey *s)
{
    free(s->returned);
}
