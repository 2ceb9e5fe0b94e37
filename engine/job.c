/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/job.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/units.h"

void job_begin(struct job *job, struct slot *slot)
{
    slot->data = job->buf;
    for (struct job *side = job; side; side = side->second) {
        side->slot = slot;
        side->number = slot->number;
        side->len = 0;
        side->read_count = side->round = side->round_end = 0;
        side->cluster_count = side->clusters_done = 0;
    }
}

void job_free(struct job *job)
{
    free(job->buf);
    free(job->blocks);
    free(job->reads);
    free(job->clusters);
    free(job->input);
    error_clear(&job->fault);
}

/* --- reads -------------------------------------------------------------- */

static struct read *last_read(struct job *job)
{
    return job->read_count ? &job->reads[job->read_count - 1] : NULL;
}

static struct read *new_read(struct job *job)
{
    if (job->read_count == job->read_room) {
        size_t room = job->read_room ? 2 * job->read_room : 16;
        struct read *reads = realloc(job->reads, room * sizeof(*reads));

        if (!reads)
            return NULL;
        job->reads = reads;
        job->read_room = room;
    }
    return &job->reads[job->read_count++];
}

int job_add_read(struct job *job, const struct extent *extent)
{
    bool is_zero = extent->kind == EXTENT_ZERO;
    enum read_kind kind = is_zero ? READ_ZEROS : READ_DATA;
    struct reader *reader = is_zero ? NULL : extent->reader;
    bool hole = !is_zero && extent->hole;
    struct read *read = last_read(job);

    assert(is_zero || extent->kind == EXTENT_DATA);
    assert(extent->length > 0 && extent->length <= job->capacity - job->len);
    assert(is_zero ||
           !sum_exceeds(extent->host_offset, extent->length, reader->size));
    if (read && read->kind == kind && read->reader == reader &&
        read->hole == hole &&
        (is_zero || read->offset + read->len == extent->host_offset)) {
        read->len += extent->length;
    } else {
        read = new_read(job);
        if (!read)
            return ENOMEM;
        *read = (struct read){
            .reader = reader,
            .buf = job->buf + job->len,
            .len = extent->length,
            .offset = extent->host_offset,
            .kind = kind,
            .hole = hole,
            .owner = job->owner,
        };
    }
    job->len += extent->length;
    return 0;
}

/* --- compressed clusters ------------------------------------------------ */

/* The longest read that neighbours share. */
#define MAX_INPUT (2 * MiB)

/* Add a read of a compressed cluster, with the bytes around it that align the
 * read. Clusters that were written one after the other share sectors. */
static int add_input(struct job *job, const struct extent *extent)
{
    struct reader *reader = extent->reader;
    uint64_t start = extent->host_offset;
    uint64_t end = round_up(start + extent->host_length, reader->alignment);
    struct read *read = last_read(job);

    start -= start % reader->alignment;
    if (end > reader->size)
        end = reader->size;

    if (read && read->kind == READ_INPUT && read->reader == reader &&
        start >= read->offset && start <= read->offset + read->len) {
        if (end <= read->offset + read->len)
            return 0;
        if (end <= read->offset + MAX_INPUT) {
            read->len = end - read->offset;
            return 0;
        }
    }
    read = new_read(job);
    if (!read)
        return ENOMEM;
    *read = (struct read){
        .reader = reader,
        .len = end - start,
        .offset = start,
        .kind = READ_INPUT,
        .owner = job->owner,
    };
    return 0;
}

static struct job_cluster *new_cluster(struct job *job)
{
    if (job->cluster_count == job->cluster_room) {
        size_t room = job->cluster_room ? 2 * job->cluster_room : 16;
        struct job_cluster *clusters =
            realloc(job->clusters, room * sizeof(*clusters));

        if (!clusters)
            return NULL;
        job->clusters = clusters;
        job->cluster_room = room;
    }
    return &job->clusters[job->cluster_count++];
}

/* Join a part of a cluster to the part before it. Returns whether that is in
 * the job. */
static bool join_cluster(struct job *job, const struct extent *extent)
{
    struct job_cluster *last =
        job->cluster_count ? &job->clusters[job->cluster_count - 1] : NULL;
    struct extent *e = last ? &last->extent : NULL;

    if (!e || last->at + e->length != job->len || e->reader != extent->reader ||
        e->host_offset != extent->host_offset ||
        e->skip + e->length != extent->skip)
        return false;
    e->length += extent->length;
    job->len += extent->length;
    return true;
}

int job_add_cluster(struct job *job, const struct extent *extent)
{
    struct job_cluster *cluster;

    assert(extent->kind == EXTENT_COMPRESSED);
    assert(extent->length > 0 && extent->length <= job->capacity - job->len);
    assert(!sum_exceeds(extent->skip, extent->length, extent->cluster_size));
    assert(extent->host_length > 0 &&
           extent->host_offset < extent->reader->size);
    if (join_cluster(job, extent))
        return 0;
    if (add_input(job, extent))
        return ENOMEM;
    cluster = new_cluster(job);
    if (!cluster)
        return ENOMEM;
    *cluster = (struct job_cluster){
        .extent = *extent,
        .at = job->len,
        .read = job->read_count - 1,
    };
    job->len += extent->length;
    return 0;
}

/* --- rounds ------------------------------------------------------------- */

/* The alignment of the memory for compressed bytes, where reads need one. */
#define INPUT_ALIGNMENT 4096

/* About what a queue needs for a read in flight. */
#define READ_COST 512

/* The most memory for the bytes around a read that is not aligned: long reads
 * go through it in pieces, or only with their ends. */
#define MAX_BOUNCE MiB

size_t job_list_size(size_t block_size)
{
    return (JOB_READS + block_size / SECTOR_SIZE) * sizeof(struct read);
}

size_t job_cluster_list_size(size_t slot_size)
{
    return slot_size / SECTOR_SIZE * sizeof(struct job_cluster);
}

size_t job_min_round(size_t cluster_size)
{
    return READ_COST + 2 * cluster_size + 2 * READER_MAX_ALIGNMENT;
}

/* The memory for read number n, which has the compressed bytes of the clusters
 * from *cluster on: its own bytes, and the zeros that follow beyond the end of
 * the object. */
static size_t input_room(const struct job *job, size_t n, size_t *cluster)
{
    const struct read *read = &job->reads[n];
    uint64_t end = read->offset + read->len;

    for (; *cluster < job->cluster_count && job->clusters[*cluster].read == n;
         ++*cluster) {
        const struct extent *e = &job->clusters[*cluster].extent;

        if (e->host_offset + e->host_length > end)
            end = e->host_offset + e->host_length;
    }
    return round_up(end - read->offset, read->reader->alignment > 1
                                            ? INPUT_ALIGNMENT
                                            : sizeof(uint64_t));
}

static size_t bounce_size(const struct read *read)
{
    size_t alignment = read->kind == READ_DATA ? read->reader->alignment : 1;
    size_t size = read->offset % alignment + read->len;

    if (read->offset % alignment == 0 && read->len % alignment == 0)
        return 0;
    size = round_up(size, alignment);
    return size < MAX_BOUNCE ? size : MAX_BOUNCE;
}

static int make_input_room(struct job *job, size_t size)
{
    void *input;

    if (size <= job->input_room)
        return 0;
    free(job->input);
    job->input = NULL;
    job->input_room = 0;
    if (posix_memalign(&input, INPUT_ALIGNMENT, size))
        return ENOMEM;
    job->input = input;
    job->input_room = size;
    return 0;
}

int job_next_round(struct job *job, size_t size)
{
    size_t cluster = job->clusters_done;
    size_t cost = 0, input = 0;
    size_t n = job->round_end;

    assert(n <= job->read_count);
    job->round = n;
    for (; n < job->read_count; n++) {
        const struct read *read = &job->reads[n];
        size_t room =
            read->kind == READ_INPUT ? input_room(job, n, &cluster) : 0;

        cost += READ_COST + room + bounce_size(read);
        if (n > job->round && cost > size)
            break;
        input += room;
    }
    job->round_end = n;
    if (make_input_room(job, input))
        return ENOMEM;

    cluster = job->clusters_done;
    input = 0;
    for (n = job->round; n < job->round_end; n++) {
        struct read *read = &job->reads[n];

        if (read->kind == READ_INPUT) {
            size_t room = input_room(job, n, &cluster);

            read->buf = job->input + input;
            memset(read->buf + read->len, 0, room - read->len);
            input += room;
        }
    }
    return 0;
}

bool job_has_input(const struct job *job, const struct job_cluster *cluster)
{
    const struct read *read = &job->reads[cluster->read];
    uint64_t end = cluster->extent.host_offset + cluster->extent.host_length;

    if (end > read->offset + read->len)
        end = read->offset + read->len; /* of the object, too */
    return end <= read->offset + read->done;
}
