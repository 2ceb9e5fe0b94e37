/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/base.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "cli/changes.h"
#include "cli/digest-option.h"
#include "cli/identity.h"
#include "cli/input.h"
#include "cli/list-input.h"
#include "cli/message.h"
#include "list/reader.h"

/* What a list knows, if it turns out to be that of a whole disk: that of a part
 * has no checksum to verify it by. */
struct base {
    struct known known; /* the first member */
    struct list_input input;
    size_t layer;                   /* of the chain, which the list is of */
    const struct list_reader *list; /* belongs to the input, or to unchanged */
    struct changes *changes;        /* since the list was made; or NULL */
    struct known *unchanged;        /* what the list has of the rest */
};

static int base_next(struct known *known, uint64_t block, uint64_t max,
                     struct known_run *run, struct error *error)
{
    struct base *b = (struct base *)known;

    return known_next(b->unchanged, block, max, run, error);
}

static int refuse_part(const struct base *b, struct error *error)
{
    return error_set(error, EINVAL,
                     "%s: is the list of a part of a disk; --base requires "
                     "the list of a whole disk",
                     list_reader_name(b->list));
}

static int base_end(struct known *known, struct error *error)
{
    struct base *b = (struct base *)known;
    struct sink_end end;
    int err = known_end(b->unchanged, error);

    if (err)
        return err;
    list_reader_end(b->list, &end);
    return end.md_len ? 0 : refuse_part(b, error);
}

static void base_free(struct known *known)
{
    struct base *b = (struct base *)known;

    known_free(b->unchanged);
    changes_free(b->changes);
    list_input_close(&b->input);
    free(b);
}

/* --- the list ----------------------------------------------------------- */

static int refuse_length(const struct base *b, const struct image *image,
                         uint64_t length, struct error *error)
{
    return error_set(error, EINVAL,
                     "%s: is the list of a disk of %" PRIu64
                     " bytes, but the disk of '%s' has %" PRIu64,
                     list_reader_name(b->list), length, image->name,
                     image->size);
}

static int check_header(const struct options *o, const struct image *image,
                        const struct base *b, struct error *error)
{
    const struct list_header *header = list_reader_header(b->list);
    const char *name = list_reader_name(b->list);
    const char *digest;
    int err = digest_option_name(o->engine.hashes[0].digest, &digest);

    if (err)
        return error_set(error, err, "%s: %s", name, strerror(err));
    if (header->block_size != o->engine.hashes[0].block_size)
        return error_set(error, EINVAL,
                         "%s: has digests of blocks of %" PRIu64
                         " bytes, but --block-size is %zu",
                         name, header->block_size,
                         o->engine.hashes[0].block_size);
    if (strcasecmp(header->digest, digest) != 0)
        return error_set(error, EINVAL,
                         "%s: has digests of %s, but --digest is %s", name,
                         header->digest, o->engine.hashes[0].digest);
    if (header->first_block)
        return refuse_part(b, error);
    if (header->length != LIST_LENGTH_UNKNOWN && header->length != image->size)
        return refuse_length(b, image, header->length, error);
    return 0;
}

/*
 * Verify a list to its end, then go back to its beginning. A run that is killed
 * leaves digests of it in the part of the new list, and nobody would look at
 * the rest of it any more.
 */
static int verify_first(const struct options *o, const struct image *image,
                        struct base *b, struct error *error)
{
    struct list_run run;
    struct sink_end end;
    int err;

    if (lseek(b->input.fd, 0, SEEK_CUR) < 0)
        return error_set(error, errno,
                         "%s: with --write-list, the --base option requires a "
                         "list in a file, which is read twice",
                         o->digest_list.base);
    do
        err = list_reader_next(b->input.reader, 0, &run, error);
    while (!err && run.blocks);
    if (err)
        return err;
    list_reader_end(b->input.reader, &end);
    if (!end.md_len)
        return refuse_part(b, error);
    if (end.length != image->size)
        return refuse_length(b, image, end.length, error);
    b->list = NULL;
    err = list_input_again(&b->input, o, o->digest_list.base, error);
    b->list = b->input.reader;
    /* Who can write to it may have replaced its header. */
    return err ? err : check_header(o, image, b, error);
}

/* --- what has changed --------------------------------------------------- */

/* The list is that of a file below the image. */
static int find_changes_above(const struct options *o,
                              const struct engine_input *input, struct base *b,
                              struct error *error)
{
    const struct list_header *header = list_reader_header(b->list);
    const struct identity_of of = { .name = input->name,
                                    .image = input->image,
                                    .layer = b->layer,
                                    .options = &o->image };
    int err = identity_check(&of, o->digest_list.base, header->source,
                             header->source_len, error);

    if (err)
        return err;
    if (identity_is_weak(&of) && input_wants_warnings(o))
        message("%s: warning: cannot tell whether '%s' has changed since the "
                "list was written, except in size",
                input->name, o->digest_list.base_image);
    return image_changes_above(input->image, b->layer, &b->changes, error);
}

/* The list is that of the image when its bitmap was made. Since then the image
 * has changed, but it is still in the same file. */
static int find_changes_by_bitmap(const struct options *o,
                                  const struct engine_input *input,
                                  struct base *b, struct error *error)
{
    const struct list_header *header = list_reader_header(b->list);
    const struct identity_of of = { .name = input->name,
                                    .image = input->image,
                                    .options = &o->image };
    int err = identity_check_file(&of, o->digest_list.base, header->source,
                                  header->source_len, error);

    return err ? err : image_bitmap(input->image, &b->changes, error);
}

static int find_changes(const struct options *o,
                        const struct engine_input *input, struct base *b,
                        struct error *error)
{
    if (o->digest_list.base_image)
        return find_changes_above(o, input, b, error);
    if (o->image.bitmap)
        return find_changes_by_bitmap(o, input, b, error);
    if (input->image->size == 0)
        return 0;
    /* The ranges may be those between two images, so the list may be that of
     * another one. */
    return changes_open(o->digest_list.changes, input->image->size, &b->changes,
                        error);
}

/* --- open --------------------------------------------------------------- */

/* The list and the changes belong to what is known. */
static int find_unchanged(const struct engine_input *input, struct base *b,
                          struct error *error)
{
    int err = known_unchanged(b->input.reader, b->changes, input->image->size,
                              &b->unchanged, error);

    if (err)
        return err;
    b->input.reader = NULL;
    b->changes = NULL;
    return 0;
}

static int fill(const struct options *o, const struct engine_input *input,
                struct base *b, struct error *error)
{
    const char *file = o->digest_list.base_image;
    int err = 0;

    /* First: a disk that was resized has other lists, too. */
    if (file)
        err = image_find_layer(input->image, file, &b->layer, error);
    if (!err)
        err = list_input_open(&b->input, o, o->digest_list.base, error);
    if (err)
        return err;
    b->list = b->input.reader;
    err = check_header(o, input->image, b, error);
    if (!err && o->digest_list.write)
        err = verify_first(o, input->image, b, error);
    if (!err)
        err = find_changes(o, input, b, error);
    return err ? err : find_unchanged(input, b, error);
}

int base_open(const struct options *o, const struct engine_input *input,
              struct known **known, struct error *error)
{
    struct base *b;
    int err;

    if (!input->image)
        return error_set(error, EINVAL,
                         "%s: is a pipe; --base cannot be used with pipes",
                         input->name);
    b = calloc(1, sizeof(*b));
    if (!b)
        return error_no_memory(error, input->name);
    b->known = (struct known){
        .next = base_next,
        .end = base_end,
        .free = base_free,
    };
    err = fill(o, input, b, error);
    if (err)
        base_free(&b->known);
    else
        *known = &b->known;
    return err;
}
