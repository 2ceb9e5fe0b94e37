/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list/known.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "list/reader.h"

/* --- of a list ---------------------------------------------------------- */

struct known_list {
    struct known known; /* the first member */
    struct list_reader *list;
    uint64_t block; /* of the disk, where the list goes on */
    bool ended;     /* the list has no more */

    /* In bytes. What lies between the last block that was asked for and the
     * change has not changed. */
    struct changes *changes; /* NULL: there are none */
    uint64_t change;         /* the start of one that goes up to: */
    uint64_t asked;          /* nothing was asked yet from here on */

    uint64_t length; /* of the disk, in bytes */
    uint64_t block_size;
};

static int refuse_length(const struct known_list *k, uint64_t length,
                         struct error *error)
{
    return error_set(error, EINVAL,
                     "%s: is the list of a disk of %" PRIu64
                     " bytes, but this one has %" PRIu64,
                     list_reader_name(k->list), length, k->length);
}

/* Find how far nothing has changed from offset on, at most up to end. */
static int find_change(struct known_list *k, uint64_t offset, uint64_t end,
                       uint64_t *change, struct error *error)
{
    if (!k->changes)
        offset = end;
    while (offset < end) {
        if (offset >= k->asked) {
            struct change c;
            int err = changes_next(k->changes, offset, end - offset, &c, error);

            if (err)
                return err;
            k->asked = offset + c.length;
            k->change = c.changed ? offset : k->asked;
        }
        if (offset < k->change)
            offset = k->change;
        if (offset < k->asked)
            break;
    }
    *change = offset < end ? offset : end;
    return 0;
}

/* Find what the list has of a block and those after it. Blocks that were left
 * out are read, as they were checked together with others. */
static int find_in_list(struct known_list *k, uint64_t block, uint64_t max,
                        struct known_run *run, struct error *error)
{
    *run = (struct known_run){ .kind = KNOWN_NOT, .blocks = max };
    if (block < k->block) {
        if (max > k->block - block)
            run->blocks = k->block - block;
        return 0;
    }
    while (!k->ended) {
        uint64_t skip = block - k->block;
        struct list_run found;
        int err = list_reader_next(k->list, skip ? skip : max, &found, error);

        if (err)
            return err;
        k->block += found.blocks;
        k->ended = found.blocks == 0;
        if (skip == 0 && !k->ended) {
            run->kind = found.mds ? KNOWN_DIGESTS : KNOWN_ZERO;
            run->blocks = found.blocks;
            run->mds = found.mds;
            break;
        }
    }
    return 0;
}

static int list_next(struct known *known, uint64_t block, uint64_t max,
                     struct known_run *run, struct error *error)
{
    struct known_list *k = (struct known_list *)known;
    uint64_t start = block * k->block_size;
    uint64_t end = k->length;
    uint64_t change, blocks;
    int err;

    assert(start < k->length);
    if (max <= (end - start) / k->block_size)
        end = start + max * k->block_size;
    err = find_change(k, start, end, &change, error);
    if (err)
        return err;
    blocks = (change - start) / k->block_size;
    if (change == k->length)
        blocks = max; /* the last one may be short */
    if (blocks > 0)
        return find_in_list(k, block, blocks, run, error);

    /* The blocks up to the end of the change have changed, at least in part. */
    blocks = (k->asked - start + k->block_size - 1) / k->block_size;
    *run = (struct known_run){ .kind = KNOWN_NOT,
                               .blocks = blocks < max ? blocks : max };
    return 0;
}

static int list_end(struct known *known, struct error *error)
{
    struct known_list *k = (struct known_list *)known;
    struct list_run run = { .blocks = 1 };
    struct sink_end end;

    while (!k->ended) {
        int err = list_reader_next(k->list, 0, &run, error);

        if (err)
            return err;
        k->ended = run.blocks == 0;
    }
    if (!list_reader_is_ended(k->list))
        return 0;
    list_reader_end(k->list, &end);
    return end.length == k->length ? 0 : refuse_length(k, end.length, error);
}

static void list_free(struct known *known)
{
    struct known_list *k = (struct known_list *)known;

    list_reader_free(k->list);
    changes_free(k->changes);
    free(k);
}

int known_unchanged(struct list_reader *list, struct changes *changes,
                    uint64_t length, struct known **known, struct error *error)
{
    const struct list_header *header = list_reader_header(list);
    struct known_list *k = calloc(1, sizeof(*k));

    if (!k)
        return error_no_memory(error, list_reader_name(list));
    *k = (struct known_list){
        .known = { .next = list_next, .end = list_end, .free = list_free },
        .list = list,
        .block = header->first_block,
        .changes = changes,
        .length = length,
        .block_size = header->block_size,
    };
    if (header->length != LIST_LENGTH_UNKNOWN && header->length != length) {
        int err = refuse_length(k, header->length, error);

        free(k);
        return err;
    }
    *known = &k->known;
    return 0;
}

int known_of_part(struct list_reader *list, uint64_t length,
                  struct known **known, struct error *error)
{
    if (list_reader_header(list)->length == LIST_LENGTH_UNKNOWN)
        return error_set(error, EINVAL,
                         "%s: is the list of a pipe, which cannot be resumed",
                         list_reader_name(list));
    return known_unchanged(list, NULL, length, known, error);
}

/* --- of either ---------------------------------------------------------- */

struct known_either {
    struct known known; /* the first member */
    struct known *first, *second;
    uint64_t not_first; /* up to this block, the first one knows nothing */
};

static int either_next(struct known *known, uint64_t block, uint64_t max,
                       struct known_run *run, struct error *error)
{
    struct known_either *k = (struct known_either *)known;
    int err;

    if (block >= k->not_first) {
        err = known_next(k->first, block, max, run, error);
        if (err || run->kind != KNOWN_NOT)
            return err;
        k->not_first = block + run->blocks;
    }
    if (max > k->not_first - block)
        max = k->not_first - block;
    return known_next(k->second, block, max, run, error);
}

static int either_end(struct known *known, struct error *error)
{
    struct known_either *k = (struct known_either *)known;
    int err = known_end(k->first, error);

    return err ? err : known_end(k->second, error);
}

static void either_free(struct known *known)
{
    struct known_either *k = (struct known_either *)known;

    known_free(k->first);
    known_free(k->second);
    free(k);
}

int known_either(struct known *first, struct known *second, const char *name,
                 struct known **known, struct error *error)
{
    struct known_either *k = calloc(1, sizeof(*k));

    if (!k)
        return error_no_memory(error, name);
    *k = (struct known_either){
        .known = { .next = either_next,
                   .end = either_end,
                   .free = either_free },
        .first = first,
        .second = second,
    };
    *known = &k->known;
    return 0;
}
