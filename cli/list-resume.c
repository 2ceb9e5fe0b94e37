/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/list-resume.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/identity.h"
#include "cli/input.h"
#include "cli/message.h"
#include "list/reader.h"

static const struct list_reader_options partial = { .partial = true };

static int refuse_number(const char *name, const char *what, uint64_t theirs,
                         uint64_t ours, struct error *error)
{
    return error_set(error, EINVAL,
                     "%s: cannot resume: its %s is %" PRIu64 ", not %" PRIu64,
                     name, what, theirs, ours);
}

/* Check that a list was begun with the same options, and of the same disk. */
static int compare_headers(const char *name, const struct list_header *theirs,
                           const struct list_header *ours, struct error *error)
{
    if (strcmp(theirs->digest, ours->digest) != 0)
        return error_set(error, EINVAL,
                         "%s: cannot resume: its digest is %s, not %s", name,
                         theirs->digest, ours->digest);
    if (theirs->block_size != ours->block_size)
        return refuse_number(name, "block size", theirs->block_size,
                             ours->block_size, error);
    if (theirs->first_block != ours->first_block)
        return refuse_number(name, "first block", theirs->first_block,
                             ours->first_block, error);
    if (theirs->length == LIST_LENGTH_UNKNOWN)
        return error_set(error, EINVAL,
                         "%s: cannot resume: it is the list of a pipe", name);
    if (theirs->length != ours->length)
        return refuse_number(name, "disk size", theirs->length, ours->length,
                             error);
    return 0;
}

static int compare(const char *name, const struct list_header *theirs,
                   const struct list_header *ours, const struct options *o,
                   const struct engine_input *input, struct error *error)
{
    const struct identity_of of = {
        .name = input->name,
        .image = input->image,
        .options = &o->image,
    };
    int err = compare_headers(name, theirs, ours, error);

    if (!err)
        err = identity_check(&of, name, theirs->source, theirs->source_len,
                             error);
    if (!err && identity_is_weak(&of) && input_wants_warnings(o))
        message("%s: warning: cannot tell whether it has changed since the "
                "interrupted run, except in size",
                input->name);
    return err;
}

/* Read to the last check. The list must fit into `blocks`, and have all of them
 * if it has its end. */
static int find_point(struct list_reader *reader, uint64_t blocks,
                      struct list_point *point, struct error *error)
{
    struct list_run run;
    int err;

    do
        err = list_reader_next(reader, 0, &run, error);
    while (!err && run.blocks);
    if (err)
        return err;
    list_reader_point(reader, point);
    if (point->blocks > blocks || (point->ended && point->blocks != blocks))
        return refuse_number(list_reader_name(reader), "number of blocks",
                             point->blocks, blocks, error);
    return 0;
}

/* How many blocks the list has in the end. */
static uint64_t blocks_of_list(const struct engine_input *input,
                               const struct list_header *header)
{
    return input->is_part ? input->blocks : list_header_blocks(header);
}

/* Check that the list is of this image, and find where it goes on. */
static int examine(const struct whole_file *file, const struct options *o,
                   const struct engine_input *input,
                   const struct list_header *header, struct list_point *point,
                   struct error *error)
{
    struct list_reader *reader;
    int err = whole_file_rewind(file, error);

    if (!err)
        err = list_reader_new(file->fd, file->part, &partial, &reader, error);
    if (err)
        return err;
    err = compare(file->part, list_reader_header(reader), header, o, input,
                  error);
    if (!err)
        err = find_point(reader, blocks_of_list(input, header), point, error);
    list_reader_free(reader);
    return err;
}

int list_resume(const struct whole_file *file, int again,
                const struct options *o, const struct engine_input *input,
                const struct list_header *header, struct list_writer **writer,
                struct known **known, struct error *error)
{
    struct list_reader *reader;
    struct list_point point;
    int err = examine(file, o, input, header, &point, error);

    if (!err)
        err = list_writer_resume(file->fd, file->name, header, &point, writer,
                                 error);
    if (err)
        return err;
    if (o->verbose)
        message("%s: resuming after %" PRIu64 " of %" PRIu64 " blocks",
                file->part, point.blocks, blocks_of_list(input, header));
    err = list_reader_new(again, file->part, &partial, &reader, error);
    if (err)
        return err;
    /* Who can write to it may have replaced its header. */
    err =
        compare_headers(file->part, list_reader_header(reader), header, error);
    if (!err)
        err = known_of_part(reader, header->length, known, error);
    if (err)
        list_reader_free(reader);
    return err;
}
