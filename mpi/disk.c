/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/disk.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/identity.h"
#include "cli/input.h"
#include "cli/message.h"
#include "common/clock.h"
#include "list/root-sink.h"
#include "mpi/comm.h"
#include "mpi/open-images.h"
#include "mpi/result.h"

/* What it takes to hold a piece, beside its digests. */
#define PIECE_ROOM 256

/* --- begin -------------------------------------------------------------- */

static int make_root(struct disk *d, struct error *error)
{
    const struct engine_hash *hash = &d->o->engine.hashes[0];
    int err =
        root_sink_new(hash->block_size, hash->digest, d->c.name, &d->root);

    if (err)
        return error_set(error, err, "%s: cannot set up the hash: %s",
                         d->c.name, strerror(err));
    d->sinks[d->sink_count++] = d->root;
    return 0;
}

static int begin_list(struct disk *d, struct error *error)
{
    int err = list_write_begin(d->list, d->o, &d->c.input, error);

    if (!err)
        d->sinks[d->sink_count++] = d->c.input.sinks[0];
    return err;
}

static int begin_hash(struct disk *d, struct error *error)
{
    int err = input_open(d->o, d->c.name, &d->c.input, error);

    if (err)
        return err;
    warnings_print(&d->warnings, d->o, d->c.input.image);
    err = make_root(d, error);
    if (!err && d->list)
        err = begin_list(d, error);
    d->resuming = d->c.input.known;
    cut_init(&d->cut, d->c.input.image, NULL,
             d->o->engine.hashes[0].block_size);
    return err;
}

static int begin_comparison(struct disk *d, char **names, struct error *error)
{
    struct comparison *c = &d->comparison;
    int err = comparison_begin(c, d->o, names, error);

    for (int i = 0; i < 2; i++)
        warnings_print(&d->warnings, d->o, c->sides[i].input.image);
    if (err)
        return err;
    d->c.input = c->sides[0].input;
    d->sinks[d->sink_count++] = &c->sink.sink;
    d->over = comparison_is_over(c);
    cut_init(&d->cut, c->sides[0].input.image, c->sides[1].input.image,
             SECTOR_SIZE);
    return 0;
}

static void describe(const struct disk *d, const char *name,
                     const struct image *image, struct wire *w)
{
    const struct identity_of of = {
        .name = name,
        .image = image,
        .options = &d->o->image,
    };
    struct error error = ERROR_INIT;
    char *identity;
    size_t len;

    if (identity_write(&of, &identity, &len, &error))
        comm_out_of_memory();
    wire_put_text(w, name);
    wire_put_text(w, identity);
    free(identity);
}

void disk_describe(const struct disk *d, struct wire *w)
{
    const struct diff_side *other = &d->comparison.sides[1];

    wire_put_text(w, comm_host());
    wire_put_number(w, d->is_compared ? 2 : 1);
    describe(d, d->c.name, d->c.input.image, w);
    if (d->is_compared)
        describe(d, other->name, other->input.image, w);
}

struct disk *disk_begin(const struct options *o, struct list_write *list,
                        uint64_t index, char **names, int ranks, size_t md_size)
{
    struct disk *d = calloc(1, sizeof(*d));

    if (!d)
        return NULL;
    d->known = calloc(ranks, sizeof(*d->known));
    if (!d->known) {
        free(d);
        return NULL;
    }
    d->index = index;
    d->o = o;
    d->list = list;
    d->md_size = md_size;
    d->c.name = names[0];
    d->start = clock_seconds();
    d->failed_rank = INT_MAX;
    d->is_compared = o->digest_list.diff;
    message_know_name(names[0]);
    if (d->is_compared ? begin_comparison(d, names, &d->c.error)
                       : begin_hash(d, &d->c.error))
        d->over = true;
    return d;
}

void disk_opened(struct disk *d, int rank, const char *error)
{
    d->awaited--;
    if (!error || rank > d->failed_rank)
        return;
    d->failed_rank = rank;
    free(d->error);
    d->error = strdup(error);
    if (!d->error)
        comm_out_of_memory();
    d->over = true;
}

/* --- slices ------------------------------------------------------------- */

static struct held_piece *add_piece(struct disk *d, uint64_t *number)
{
    struct held_piece *p = pieces_add(&d->pieces, number);

    if (!p)
        comm_out_of_memory();
    return p;
}

/* The error is that of the disk if nothing fails before it. */
static void add_fault(struct disk *d, const struct error *error)
{
    uint64_t number;
    struct held_piece *p = add_piece(d, &number);

    p->state = PIECE_FAILED;
    p->error = host_error(error);
    if (!p->error)
        comm_out_of_memory();
    d->cut_failed = true;
}

/* A hole, or more of the last one. */
static void add_hole(struct disk *d, uint64_t blocks)
{
    struct held_piece *p = pieces_last(&d->pieces);
    uint64_t number;

    if (!p || p->state != PIECE_HOLE) {
        p = add_piece(d, &number);
        p->state = PIECE_HOLE;
        p->room = PIECE_ROOM;
        d->room += p->room;
    }
    p->runs.count += blocks;
    d->c.result.counts.hole += blocks * d->cut.block_size;
}

static void add_slice(struct disk *d, const struct piece *piece,
                      uint64_t *number)
{
    struct held_piece *p = add_piece(d, number);

    p->room = PIECE_ROOM + piece->digests * d->md_size;
    d->room += p->room;
    d->out++;
}

bool disk_has_more(const struct disk *d)
{
    return !d->over && !d->cut_failed && !cut_is_at_end(&d->cut);
}

uint64_t disk_left(const struct disk *d)
{
    return disk_has_more(d) ? cut_left(&d->cut) : 0;
}

bool disk_cut(struct disk *d, uint64_t data, struct piece *piece,
              uint64_t *number)
{
    struct error error = ERROR_INIT;

    if (!disk_has_more(d) || d->resuming)
        return false;
    if (cut_next(&d->cut, data, piece, &error)) {
        add_fault(d, &error);
        error_clear(&error);
        return false;
    }
    if (piece->hole)
        add_hole(d, piece->blocks);
    else
        add_slice(d, piece, number);
    return true;
}

static void add_counts(struct engine_counts *c, struct wire_rest *message)
{
    c->data += wire_get_number(message);
    c->zero += wire_get_number(message);
    c->hole += wire_get_number(message);
    c->read += wire_get_number(message);
}

static void take_warnings(struct disk *d, struct wire_rest *message)
{
    const char *host = wire_get_text(message);

    message_know_name(d->c.name);
    for (int i = 0; i < 2; i++)
        warnings_take(&d->warnings, d->o, host, message);
    warnings_take_hole(&d->warnings, host, message);
    message_know_name(NULL);
}

void disk_take(struct disk *d, uint64_t number, unsigned char *data,
               struct wire_rest message)
{
    struct held_piece *p = pieces_find(&d->pieces, number);
    const char *error = wire_get_text(&message);

    d->out--;
    p->data = data;
    p->changed = wire_get_number(&message);
    add_counts(&d->c.result.counts, &message);
    take_warnings(d, &message);
    p->state = PIECE_DONE;
    p->runs = (struct runs){ .rest = message, .md_size = d->md_size };
    d->room -= p->room;
    p->room = PIECE_ROOM + message.len;
    d->room += p->room;
    if (!error)
        return;
    p->state = PIECE_FAILED;
    p->error = strdup(error);
    if (!p->error)
        comm_out_of_memory();
    /* What comes later is not needed any more. */
    d->cut_failed = true;
}

/* --- commit ------------------------------------------------------------- */

static void remove_first(struct disk *d)
{
    d->room -= pieces_first(&d->pieces)->room;
    pieces_remove_first(&d->pieces);
}

static int give_known(struct disk *d, const struct known_run *run)
{
    int err = 0;

    for (size_t i = 0; !err && i < d->sink_count; i++) {
        struct sink *s = d->sinks[i];

        err = run->kind == KNOWN_ZERO
                  ? s->zero(s, run->blocks, &d->c.error)
                  : s->digests(s, run->mds, run->blocks, &d->c.error);
    }
    return err;
}

/* Give the sinks what a list that was interrupted has, and cut the rest. A
 * short block at the end is not a block of zeros. */
static void commit_known(struct disk *d)
{
    uint64_t size = d->cut.size, start = d->cut.offset;
    uint64_t whole = (size - start) / d->cut.block_size;
    struct known_run run = { .kind = KNOWN_NOT };

    if (start < size && known_next(d->c.input.known, d->done,
                                   whole > MAX_ZEROS ? MAX_ZEROS
                                   : whole           ? whole
                                                     : 1,
                                   &run, &d->c.error)) {
        d->over = true;
        return;
    }
    d->resuming =
        run.kind == KNOWN_DIGESTS || (run.kind == KNOWN_ZERO && whole > 0);
    if (!d->resuming)
        return;
    d->over = give_known(d, &run) != 0;
    d->done += run.blocks;
    d->unread += run.blocks;
    d->cut.offset = d->done * d->cut.block_size;
    if (d->cut.offset > size)
        d->cut.offset = size;
    d->c.result.counts.known += d->cut.offset - start;
}

/* The first piece failed, and all before it is committed: that is the error. */
static void fail(struct disk *d, struct held_piece *p)
{
    d->error = p->error;
    p->error = NULL;
    d->c.result.changed = p->changed;
    d->over = true;
}

/* Give a step of the first piece to the sinks. */
static int commit_step(struct disk *d, struct held_piece *p, uint64_t *blocks)
{
    int err;

    if (p->state != PIECE_HOLE)
        return runs_give(&p->runs, d->sinks, d->sink_count, blocks,
                         &d->c.error);
    err = runs_give_zeros(p->runs.count, d->sinks, d->sink_count, blocks,
                          &d->c.error);
    p->runs.count -= *blocks;
    d->unread += *blocks;
    return err;
}

bool disk_commit(struct disk *d)
{
    struct held_piece *p = pieces_first(&d->pieces);
    uint64_t blocks;

    if (d->over || d->awaited > 0 || (p && p->state == PIECE_OUT))
        return false;
    if (d->resuming) {
        commit_known(d);
        return true;
    }
    if (!p) {
        d->over = !disk_has_more(d);
        return d->over;
    }
    if (p->state == PIECE_FAILED) {
        fail(d, p);
        return true;
    }
    if (commit_step(d, p, &blocks)) {
        d->over = true;
        return true;
    }
    d->done += blocks;
    if (blocks == 0)
        remove_first(d);
    return true;
}

/* --- end ---------------------------------------------------------------- */

/* All digests are there. The ranks have looked at their files after the last
 * read, and now rank 0 does. */
static int finish_hash(struct disk *d, struct error *error)
{
    struct engine_result *r = &d->c.result;
    struct sink_end end = { .length = d->c.input.image->size };
    int err = image_check_unchanged(d->c.input.image, error);

    r->changed = err != 0;
    if (!err && d->c.input.known)
        err = known_end(d->c.input.known, error);
    for (size_t i = 0; !err && i < d->sink_count; i++)
        err = d->sinks[i]->end(d->sinks[i], &end, error);
    if (!err && d->list)
        err = list_write_end(d->list, error);
    r->length = end.length;
    r->sums[0].md_len = end.md_len;
    memcpy(r->sums[0].md, end.md, end.md_len);
    return err;
}

static void finish(struct disk *d, struct error *error)
{
    /* What was asked for is known, so the comparison was stopped. */
    if (d->is_compared && error->code == ECANCELED &&
        comparison_is_over(&d->comparison))
        error_clear(error);
    if (error->code)
        return;
    if (d->is_compared)
        comparison_end(&d->comparison, error);
    else
        finish_hash(d, error);
}

/* A comparison prints what it finds when it finds it. */
static bool wants_text(const struct disk *d)
{
    if (d->is_compared)
        return false;
    return !d->list || !list_write_is_on_stdout(d->list);
}

/* An error of a rank is one of this image, for what is printed. */
static void take_error(struct disk *d)
{
    if (d->error)
        error_set(&d->c.error, EIO, "%s", d->error);
}

/* Whether digests were taken that are not those of the image, or may not be. */
static bool is_worthless(const struct checksum *c)
{
    return c->result.changed || (c->input.known && c->input.known->failed);
}

/* Print what is left of the warnings; that files have changed is new. */
static void warn(struct disk *d)
{
    message_know_name(d->c.name);
    warnings_print(&d->warnings, d->o, d->c.input.image);
    if (d->is_compared)
        warnings_print(&d->warnings, d->o, d->comparison.sides[1].input.image);
    warnings_end(&d->warnings, d->o);
    message_know_name(NULL);
}

/* Close what rank 0 has opened. */
static void close_images(struct disk *d)
{
    warn(d);
    if (d->is_compared) {
        comparison_close(&d->comparison);
        d->c.input.image = NULL;
    }
    checksum_end(&d->c);
}

bool disk_end(struct disk *d, char **text, char **error)
{
    bool differs = false;
    struct checksum *c = &d->c;

    *error = NULL;
    *text = NULL;
    take_error(d);
    if (c->error.code)
        warnings_forget_hole(&d->warnings);
    finish(d, &c->error);
    if (c->error.code && !d->error)
        d->error = host_error(&c->error);
    if (d->list && is_worthless(c))
        list_write_discard(d->list);
    c->seconds = clock_seconds() - d->start;
    if (c->error.code)
        *error = d->error;
    else
        *text = wants_text(d) ? result_text(d->o, c) : strdup("");
    if (!*error && !*text)
        comm_out_of_memory();
    if (d->is_compared)
        differs = d->comparison.differences.bytes > 0;
    close_images(d);
    pieces_free(&d->pieces);
    root_sink_free(d->root);
    free(d->known);
    free(d);
    return differs;
}
