/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes are compared where they lie: in the buffer of a side, or in a mapped
 * file. Long pieces are compared at once; only where they differ, sector by
 * sector. Zeros that are not stored are nowhere: then the bytes of the other
 * side are tested for zeros.
 */
#include "engine/compare.h"

#include <assert.h>
#include <string.h>

#include "common/bytes.h"
#include "common/units.h"
#include "list/difference.h"

/* Some memory that both caches of a core can hold twice. */
#define PIECE (16 * KiB)

/* A place in the bytes of one side, which moves forward. */
struct place {
    const struct job *job;
    size_t read; /* all reads before it end at or before `at` */
    size_t at;
};

/* The bytes at a place that lie in a row. NULL: zeros. */
static const unsigned char *bytes_at(struct place *p, size_t *len)
{
    const struct job *job = p->job;
    size_t end = job->len;

    for (; p->read < job->read_count; p->read++) {
        const struct read *read = &job->reads[p->read];
        size_t start;

        if (read->kind == READ_INPUT)
            continue;
        start = read->buf - job->buf;
        if (start > p->at) {
            end = start; /* clusters are before it */
            break;
        }
        if (start + read->len <= p->at)
            continue;
        *len = start + read->len - p->at;
        if (read->kind == READ_ZEROS)
            return NULL;
        return (read->view ? read->view : read->buf) + (p->at - start);
    }
    *len = end - p->at;
    return job->buf + p->at;
}

/* Copy the sector at a place, and pass it. */
static void take_sector(struct place *p, unsigned char sector[SECTOR_SIZE])
{
    size_t done = 0;

    while (done < SECTOR_SIZE) {
        size_t n;
        const unsigned char *bytes = bytes_at(p, &n);

        if (n > SECTOR_SIZE - done)
            n = SECTOR_SIZE - done;
        if (bytes)
            memcpy(sector + done, bytes, n);
        else
            memset(sector + done, 0, n);
        done += n;
        p->at += n;
    }
}

/* Whether bytes are equal; NULL: zeros. */
static bool is_equal(const unsigned char *a, const unsigned char *b, size_t len)
{
    if (a && b)
        return memcmp(a, b, len) == 0;
    if (a || b)
        return bytes_are_zero(a ? a : b, len);
    return true;
}

static enum difference_kind compare_sector(const unsigned char *a,
                                           const unsigned char *b)
{
    if (is_equal(a, b, SECTOR_SIZE))
        return DIFFERENCE_NONE;
    if (!a || bytes_are_zero(a, SECTOR_SIZE))
        return DIFFERENCE_ZERO_IN_A;
    if (!b || bytes_are_zero(b, SECTOR_SIZE))
        return DIFFERENCE_ZERO_IN_B;
    return DIFFERENCE_BYTES;
}

static void compare_sectors(const unsigned char *a, const unsigned char *b,
                            size_t len, unsigned char *kinds)
{
    for (size_t at = 0; at < len; at += SECTOR_SIZE)
        kinds[at / SECTOR_SIZE] =
            compare_sector(a ? a + at : NULL, b ? b + at : NULL);
}

/* Compare whole sectors; NULL: zeros. */
static void compare_bytes(const unsigned char *a, const unsigned char *b,
                          size_t len, unsigned char *kinds)
{
    size_t n;

    for (size_t at = 0; at < len; at += n) {
        const unsigned char *piece_a = a ? a + at : NULL;
        const unsigned char *piece_b = b ? b + at : NULL;
        unsigned char *out = kinds + at / SECTOR_SIZE;

        n = len - at < PIECE ? len - at : PIECE;
        if (is_equal(piece_a, piece_b, n))
            memset(out, DIFFERENCE_NONE, n / SECTOR_SIZE);
        else
            compare_sectors(piece_a, piece_b, n, out);
    }
}

void compare_job(struct job *job, struct found *found)
{
    unsigned char *kinds = job->slot->mds;
    struct place a = { .job = job };
    struct place b = { .job = job->second };

    *found = (struct found){ .zeros = 0 };
    assert(job->len == job->second->len && job->len % SECTOR_SIZE == 0);
    find_false_holes(job, found);
    find_false_holes(job->second, found);
    while (a.at < job->len) {
        size_t len_a, len_b, len;
        const unsigned char *bytes_a = bytes_at(&a, &len_a);
        const unsigned char *bytes_b = bytes_at(&b, &len_b);
        unsigned char *out = kinds + a.at / SECTOR_SIZE;

        len = len_a < len_b ? len_a : len_b;
        len -= len % SECTOR_SIZE;
        if (len) {
            compare_bytes(bytes_a, bytes_b, len, out);
            a.at += len;
            b.at += len;
        } else {
            unsigned char sector_a[SECTOR_SIZE], sector_b[SECTOR_SIZE];

            take_sector(&a, sector_a);
            take_sector(&b, sector_b);
            compare_sectors(sector_a, sector_b, SECTOR_SIZE, out);
        }
    }
}
