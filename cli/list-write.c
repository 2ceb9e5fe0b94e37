/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/list-write.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/digest-option.h"
#include "cli/digests.h"
#include "cli/identity.h"
#include "cli/list-resume.h"
#include "cli/message.h"
#include "cli/whole-file.h"
#include "common/array.h"
#include "list/parts.h"
#include "list/reader.h"
#include "list/writer.h"
#include "process/confine.h"

struct list_write {
    struct whole_file file;
    bool ours;   /* the part: we made it, or began it anew */
    off_t old;   /* bytes that it has of the run that was interrupted */
    bool whole;  /* it has its name */
    int part_fd; /* for reading it while it is written; -1: not open */
    struct list_header header;
    struct list_writer *writer;
    struct sink *sinks[1]; /* the writer, for the engine */
    struct sigaction pipe_action;
};

/* --- open --------------------------------------------------------------- */

static void ignore(int signal)
{
    (void)signal;
}

/* A pipe that nobody reads any more is an error of write(). A handler does not
 * last in the servers that are started, as SIG_IGN would. */
static void catch_broken_pipe(struct list_write *l)
{
    struct sigaction action = { .sa_handler = ignore, .sa_flags = SA_RESTART };

    sigemptyset(&action.sa_mask);
    sigaction(SIGPIPE, &action, &l->pipe_action);
}

/* A name in /dev/fd, or that of the file which standard output is, may be known
 * only now. */
static int check_standard_output(const struct list_write *l,
                                 const struct options *o, struct error *error)
{
    const char *output = digests_output(o);

    if (!l->file.is_stdout || !output)
        return 0;
    return error_set(error, EINVAL,
                     "%s: is standard output, where %s and the list cannot "
                     "both go",
                     l->file.name, output);
}

static bool goes_to(const struct list_write *l, int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && !S_ISCHR(st.st_mode) &&
           whole_file_destroys(&l->file, st.st_dev, st.st_ino);
}

/* What is written directly must not be mixed with other output. */
static int check_other_outputs(const struct list_write *l,
                               const struct options *o, struct error *error)
{
    const struct progress_options *progress = &o->progress;

    if (l->file.part)
        return 0;
    if (goes_to(l, STDERR_FILENO))
        return error_set(error, EINVAL,
                         "%s: is standard error, where messages go",
                         l->file.name);
    if (progress->to_fd && goes_to(l, progress->fd))
        return error_set(error, EINVAL, "%s: is where the progress goes",
                         l->file.name);
    return 0;
}

int list_write_open(const struct options *o, struct list_write **list,
                    struct error *error)
{
    struct list_write *l = calloc(1, sizeof(*l));
    int err;

    if (!l)
        return error_no_memory(error, o->digest_list.write);
    l->part_fd = -1;
    catch_broken_pipe(l);
    err = whole_file_open(&l->file, o->digest_list.write, error);
    if (!err)
        err = check_standard_output(l, o, error);
    if (!err)
        err = check_other_outputs(l, o, error);
    l->ours = !err && !l->file.existed;
    if (!err && l->file.part)
        confine_except_renames(l->file.directory);
    *list = l;
    if (err) {
        list_write_free(l);
        *list = NULL;
    }
    return err;
}

/* --- what is in the part ------------------------------------------------ */

/* Whether a list that was interrupted has any digests. Another file is an
 * error: it is not ours to replace. */
static int find_digests(const struct list_write *l, bool *found,
                        struct error *error)
{
    const struct list_reader_options options = { .partial = true };
    struct error cause = ERROR_INIT;
    struct list_reader *reader = NULL;
    struct list_run run = { .blocks = 0 };
    int err;

    *found = false;
    err = whole_file_rewind(&l->file, &cause);
    if (!err)
        err = list_reader_new(l->file.fd, l->file.part, &options, &reader,
                              &cause);
    if (!err)
        err = list_reader_next(reader, 1, &run, &cause);
    list_reader_free(reader);
    *found = run.blocks > 0;
    if (err == ENODATA) {
        error_clear(&cause);
        return 0;
    }
    error_move(error, &cause);
    return err;
}

/* --- begin -------------------------------------------------------------- */

/* Check that a file of the input stays as it is. */
static int check_file(const struct list_write *l, dev_t device, ino_t inode,
                      struct error *error)
{
    const char *name = whole_file_destroys(&l->file, device, inode);

    return name ? error_set(error, EINVAL,
                            "%s: is the image that is hashed, or one of its "
                            "files",
                            name)
                : 0;
}

/* The list must not take the place of what is read. */
static int check_names(const struct list_write *l,
                       const struct engine_input *input, struct error *error)
{
    struct image_file file;
    struct stat st;
    int err = 0;

    if (!input->image)
        return fstat(input->fd, &st) == 0
                   ? check_file(l, st.st_dev, st.st_ino, error)
                   : 0;
    for (size_t i = 0; !err && image_file(input->image, 0, i, &file); i++) {
        if (file.state.kind != OBJECT_OTHER)
            err = check_file(l, file.id.device, file.id.inode, error);
    }
    return err;
}

static int make_header(const struct options *o,
                       const struct engine_input *input,
                       struct list_header *header, struct error *error)
{
    const struct identity_of of = {
        .name = input->name,
        .image = input->image,
        .options = &o->image,
    };
    const char *digest;
    int err = digest_option_name(o->engine.hashes[0].digest, &digest);
    size_t len = strlen(digest);

    if (err)
        return error_set(error, err, "%s: cannot set up the list: %s",
                         input->name, strerror(err));

    *header = (struct list_header){
        .block_size = o->engine.hashes[0].block_size,
        .first_block = input->first_block,
        .length = input->image ? input->image->size : LIST_LENGTH_UNKNOWN,
    };
    if (len >= sizeof(header->digest))
        return error_set(error, ENAMETOOLONG,
                         "%s: the name of the digest is too long for a list",
                         digest);
    for (size_t i = 0; i < len; i++)
        header->digest[i] = tolower((unsigned char)digest[i]);
    if (input->image)
        identity_settle(&of);
    return identity_write(&of, &header->source, &header->source_len, error);
}

/* A pipe that was read is gone, and so is what was written to one. */
static int check_resume(const struct list_write *l,
                        const struct engine_input *input, struct error *error)
{
    if (!input->image)
        return error_set(error, EINVAL, "%s: is a pipe: it cannot be resumed",
                         input->name);
    if (!l->file.part)
        return error_set(error, EINVAL,
                         "%s: is not a regular file: it cannot be resumed",
                         l->file.name);
    return 0;
}

/* What the part has is newer than what else is known. */
static int add_known(struct engine_input *input, struct known *known,
                     struct error *error)
{
    struct known *other = input->known;
    int err;

    if (!known)
        return 0;
    input->known = known;
    if (!other)
        return 0;
    err = known_either(known, other, input->name, &input->known, error);
    if (err) {
        known_free(known);
        input->known = other;
    }
    return err;
}

static int resume(struct list_write *l, const struct options *o,
                  const struct engine_input *input, struct known **known,
                  struct error *error)
{
    int err = whole_file_reopen(&l->file, &l->part_fd, error);

    if (!err)
        err = list_resume(&l->file, l->part_fd, o, input, &l->header,
                          &l->writer, known, error);
    if (!err)
        l->old = lseek(l->file.fd, 0, SEEK_CUR);
    return err;
}

static int choose_part(const struct options *o, struct engine_input *input,
                       struct error *error)
{
    const struct shard *shard = &o->digest_list.shard;
    uint64_t size, blocks;

    if (!input->image)
        return error_set(error, EINVAL,
                         "%s: is a pipe: it cannot be divided into parts",
                         input->name);
    size = input->image->size;
    blocks = size / o->engine.hashes[0].block_size +
             (size % o->engine.hashes[0].block_size != 0);
    input->is_part = true;
    input->first_block =
        parts_first_block(blocks, shard->index - 1, shard->count);
    input->blocks = parts_first_block(blocks, shard->index, shard->count) -
                    input->first_block;
    return 0;
}

/* Begin the list, or go on with the part of a run that was interrupted. That is
 * worth the time that it took, so it is replaced only if it has nothing. */
static int begin(struct list_write *l, const struct options *o,
                 const struct engine_input *input, struct known **known,
                 struct error *error)
{
    bool can_resume = input && input->image;
    bool found = false;
    int err = l->file.existed ? find_digests(l, &found, error) : 0;

    if (err)
        return err;
    if (found && o->digest_list.resume)
        return resume(l, o, input, known, error);
    if (found)
        return error_set(
            error, EEXIST, "%s: was left by an interrupted run; %sremove it",
            l->file.part, can_resume ? "continue it with --resume, or " : "");
    l->ours = true;
    if (o->digest_list.resume && o->verbose)
        message("%s: nothing to resume; starting from the beginning",
                l->file.part);
    if (l->file.existed)
        err = whole_file_begin_anew(&l->file, error);
    return err ? err
               : list_writer_new(l->file.fd, l->file.name, &l->header,
                                 &l->writer, error);
}

int list_write_begin(struct list_write *l, const struct options *o,
                     struct engine_input *input, struct error *error)
{
    struct known *known = NULL;
    int err = check_names(l, input, error);

    if (!err && o->digest_list.resume)
        err = check_resume(l, input, error);
    if (!err && o->digest_list.shard.count)
        err = choose_part(o, input, error);
    if (!err)
        err = make_header(o, input, &l->header, error);
    if (!err)
        err = begin(l, o, input, &known, error);
    if (err)
        return err;
    l->sinks[0] = list_writer_sink(l->writer);
    input->sinks = l->sinks;
    input->sink_count = ARRAY_SIZE(l->sinks);
    return add_known(input, known, error);
}

static int copy_header(const struct list_header *from, struct list_header *to,
                       const char *name, struct error *error)
{
    *to = *from;
    to->first_block = 0;
    to->source = strndup(from->source, from->source_len);
    return to->source ? 0 : error_no_memory(error, name);
}

int list_write_begin_merge(struct list_write *l, const struct options *o,
                           const struct list_input *parts, int count,
                           struct sink **sink, struct error *error)
{
    const struct list_header *header = list_reader_header(parts[0].reader);
    struct known *known = NULL;
    struct stat st;
    int err;

    for (int i = 0; i < count; i++) {
        const char *name =
            fstat(parts[i].fd, &st) == 0
                ? whole_file_destroys(&l->file, st.st_dev, st.st_ino)
                : NULL;

        if (name)
            return error_set(error, EINVAL,
                             "%s: is one of the lists that are merged", name);
    }
    err = copy_header(header, &l->header, l->file.name, error);
    if (!err)
        err = begin(l, o, NULL, &known, error);
    if (!err)
        *sink = list_writer_sink(l->writer);
    return err;
}

/* --- end ---------------------------------------------------------------- */

int list_write_end(struct list_write *l, struct error *error)
{
    int err = 0;

    if (l->file.part)
        err = list_writer_verify(l->writer, l->file.part, error);
    if (!err)
        err = whole_file_commit(&l->file, error);
    l->whole = !err;
    return err;
}

void list_write_discard(struct list_write *l)
{
    bool is_cut = l->old > 0 && ftruncate(l->file.fd, l->old) == 0;

    if (l->ours || (l->old > 0 && !is_cut))
        whole_file_remove(&l->file);
    l->ours = false;
}

bool list_write_is_on_stdout(const struct list_write *l)
{
    return l->file.is_stdout;
}

/* Remove a part without digests, unless it cannot be read any more. */
static void remove_useless(struct list_write *l)
{
    struct error error = ERROR_INIT;
    bool found;

    if (find_digests(l, &found, &error) == 0 && !found)
        whole_file_remove(&l->file);
    error_clear(&error);
}

void list_write_free(struct list_write *l)
{
    if (!l)
        return;
    list_writer_free(l->writer);
    free(l->header.source);
    if (l->ours && l->file.part && !l->whole)
        remove_useless(l);
    if (l->part_fd >= 0)
        close(l->part_fd);
    whole_file_close(&l->file);
    sigaction(SIGPIPE, &l->pipe_action, NULL);
    free(l);
}
