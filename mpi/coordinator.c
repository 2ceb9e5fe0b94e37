/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/coordinator.h"

#include <stdlib.h>
#include <string.h>

#include "cli/diff.h"
#include "cli/message.h"
#include "common/clock.h"
#include "common/units.h"
#include "mpi/disk.h"
#include "mpi/large-images.h"
#include "mpi/pace.h"
#include "mpi/protocol.h"
#include "mpi/report.h"
#include "mpi/results.h"
#include "mpi/disk-progress.h"
#include "mpi/survey.h"
#include "mpi/warnings.h"

/* The digests that are handed out, but not committed: 64 MiB, or, with many
 * ranks, enough for what each of them has to do. */
#define WINDOW (64 * MiB)
#define WINDOW_OF_RANK (1 * MiB)

/* The last slices are so small that all ranks finish at about the same time:
 * what is left is divided by their number, and by this. */
#define SHARES 4

#define MAX_SLICE (4 * GiB)

/* To begin a slice must take no time, compared with its hashing. */
#define MIN_SLICE_OF_THREAD (8 * MiB)
#define MAX_MIN_SLICE (64 * MiB)

/* Up to so many times, all ranks open an image before any of its slices is
 * handed out. Otherwise those do that get one. */
#define MAX_OPENS 4096

/* Disks of which there are pieces. */
#define MAX_DISKS 8

struct coordinator {
    const struct options *o;
    struct list_write *list;
    char **names;
    uint64_t count;
    size_t md_size;
    int ranks;
    struct pace *paces; /* of each rank */
    double fastest;     /* of their speeds */
    int turn;           /* the rank that is asked first */
    struct survey survey;
    struct large_images waiting;
    struct disk *disks; /* in the order in which they were begun */
    unsigned disk_count;
    uint64_t max_slice, min_slice; /* bytes */
    size_t window;
    uint64_t slices; /* that were handed out */
    double cpu_before;
    bool differs; /* from the disk with which it is compared */
    struct results *results;
    struct disk_progress progress;
};

static void choose_sizes(struct coordinator *c)
{
    const struct engine_options *e = &c->o->engine;
    uint64_t block_size =
        c->o->digest_list.diff ? SECTOR_SIZE : e->hashes[0].block_size;
    uint64_t room;

    c->window = (size_t)c->ranks * WINDOW_OF_RANK;
    if (c->window < WINDOW)
        c->window = WINDOW;
    room = c->window / (2 * PACE_CREDIT * c->ranks);
    c->max_slice = room / c->md_size * block_size;
    if (c->max_slice > MAX_SLICE)
        c->max_slice = MAX_SLICE;
    c->min_slice = e->threads * MIN_SLICE_OF_THREAD;
    if (c->min_slice > MAX_MIN_SLICE)
        c->min_slice = MAX_MIN_SLICE;
    if (c->min_slice > c->max_slice)
        c->min_slice = c->max_slice;
}

struct coordinator *coordinator_new(const struct options *o,
                                    struct list_write *list, char **names,
                                    uint64_t count, size_t md_size)
{
    struct coordinator *c = calloc(1, sizeof(*c));

    if (!c)
        comm_out_of_memory();
    *c = (struct coordinator){
        .o = o,
        .list = list,
        .names = names,
        .count = count,
        .md_size = md_size,
        .ranks = comm_size(),
        .cpu_before = report_cpu_seconds(),
    };
    c->paces = calloc(c->ranks, sizeof(*c->paces));
    if (!c->paces)
        comm_out_of_memory();
    choose_sizes(c);
    /* The only image is for all ranks, whatever its size. */
    survey_begin(&c->survey, names, count > 1 ? count : 0, c->ranks);
    if (count == 1 && !large_images_add(&c->waiting, 0, 0))
        comm_out_of_memory();
    c->results = results_new(o, names, count);
    return c;
}

/* --- open --------------------------------------------------------------- */

static void tell_to_open(struct disk *d, int rank, bool answer)
{
    struct wire w = { .data = NULL };

    wire_put_number(&w, MESSAGE_OPEN);
    wire_put_number(&w, d->index);
    wire_put_number(&w, answer);
    disk_describe(d, &w);
    wire_send(&w, rank);
    d->known[rank] = true;
    d->awaited += answer;
}

/* Disks of which there is something to hand out, now or when it is open. */
static unsigned disks_with_more(const struct coordinator *c)
{
    unsigned count = 0;

    for (const struct disk *d = c->disks; d; d = d->next)
        count += disk_has_more(d);
    return count;
}

static void open_next(struct coordinator *c)
{
    uint64_t index = large_images_take(&c->waiting);
    struct disk **last = &c->disks;
    struct disk *d = disk_begin(c->o, c->list, index, &c->names[index],
                                c->ranks, c->md_size);

    if (!d)
        comm_out_of_memory();
    while (*last)
        last = &(*last)->next;
    *last = d;
    c->disk_count++;
    for (int i = 0;
         !d->over && c->count * c->ranks <= MAX_OPENS && i < c->ranks; i++)
        tell_to_open(d, i, true);
}

/* Open one disk more than there must be: while the ranks do so, they have
 * slices of the one before. */
static bool must_open(const struct coordinator *c)
{
    return c->waiting.count > 0 && survey_is_handed_out(&c->survey) &&
           c->disk_count < MAX_DISKS && disks_with_more(c) < 2;
}

/* --- hand out ----------------------------------------------------------- */

static uint64_t slice_size(const struct coordinator *c, int rank)
{
    uint64_t left = c->waiting.size;
    uint64_t size;

    for (const struct disk *d = c->disks; d; d = d->next)
        left += disk_left(d);
    size = left / ((uint64_t)c->ranks * SHARES);
    if (size > c->max_slice)
        size = c->max_slice;
    if (size < c->min_slice)
        size = c->min_slice;
    return pace_slice(&c->paces[rank], c->fastest, size, c->min_slice);
}

static bool has_window(const struct coordinator *c)
{
    size_t room = 0;

    for (const struct disk *d = c->disks; d; d = d->next)
        room += d->room;
    return room < c->window;
}

enum given {
    GIVEN_NOTHING,
    GIVEN_HOLE, /* nothing, but rank 0 knows more of a disk now */
    GIVEN_WORK,
};

static void send_slice(struct disk *d, int rank, const struct piece *piece,
                       uint64_t number)
{
    struct wire w = { .data = NULL };

    if (!d->known[rank])
        tell_to_open(d, rank, false);
    wire_put_number(&w, MESSAGE_SLICE);
    wire_put_number(&w, d->index);
    wire_put_number(&w, number);
    wire_put_number(&w, piece->first_block);
    wire_put_number(&w, piece->blocks);
    wire_send(&w, rank);
}

static enum given give_slice(struct coordinator *c, struct disk *d, int rank,
                             uint64_t *size)
{
    struct piece piece;
    uint64_t number;

    if (d->awaited > 0 || !disk_cut(d, slice_size(c, rank), &piece, &number))
        return GIVEN_NOTHING;
    if (piece.hole)
        return GIVEN_HOLE;
    *size = piece.digests * d->cut.block_size;
    send_slice(d, rank, &piece, number);
    c->slices++;
    return GIVEN_WORK;
}

static enum given give(struct coordinator *c, int rank)
{
    enum given given =
        survey_give(&c->survey, rank) ? GIVEN_WORK : GIVEN_NOTHING;
    uint64_t size = 0;

    for (struct disk *d = c->disks;
         d && given == GIVEN_NOTHING && has_window(c); d = d->next)
        given = give_slice(c, d, rank, &size);
    if (given == GIVEN_WORK)
        pace_given(&c->paces[rank], size, clock_seconds());
    return given;
}

/* Give each rank that has time one thing to do. A hole ends the step: there may
 * be many more, and messages come first. */
static bool give_all(struct coordinator *c)
{
    enum given given;
    bool any = false;

    for (int i = 0; i < c->ranks; i++) {
        int rank = (c->turn + i) % c->ranks;

        if (c->paces[rank].count == PACE_CREDIT)
            continue;
        given = give(c, rank);
        any |= given != GIVEN_NOTHING;
        if (given != GIVEN_WORK) {
            c->turn = rank;
            break;
        }
    }
    return any;
}

/* --- take --------------------------------------------------------------- */

static struct disk *find_disk(const struct coordinator *c, uint64_t index)
{
    struct disk *d = c->disks;

    while (d && d->index != index)
        d = d->next;
    return d;
}

static void has_done(struct coordinator *c, int rank)
{
    struct pace *p = &c->paces[rank];

    pace_done(p, clock_seconds());
    /* What was a moment's speed is forgotten. */
    c->fastest -= c->fastest / (64.0 * c->ranks);
    if (p->speed > c->fastest)
        c->fastest = p->speed;
}

static char *copy(const char *text)
{
    char *copied = strdup(text);

    if (!copied)
        comm_out_of_memory();
    return copied;
}

static void take_warnings(const struct coordinator *c, uint64_t index,
                          const char *host, struct wire_rest *message)
{
    struct warnings warnings = { .printed = NULL };

    message_know_name(c->names[index]);
    warnings_take(&warnings, c->o, host, message);
    warnings_take_hole(&warnings, host, message);
    warnings_end(&warnings, c->o);
    message_know_name(NULL);
}

/* What a rank has found of images that it looked at alone. */
static void take_results(struct coordinator *c, struct wire_rest *message)
{
    uint64_t first = wire_get_number(message);
    uint64_t count = wire_get_number(message);
    uint64_t done = wire_get_number(message);
    const char *host = wire_get_text(message);

    for (uint64_t i = first; i < first + done; i++) {
        uint64_t state = wire_get_number(message);
        uint64_t size = wire_get_number(message);
        const char *text = wire_get_text(message);

        take_warnings(c, i, host, message);
        if (state == IMAGE_DONE)
            results_add(c->results, i, copy(text), NULL);
        else if (state == IMAGE_FAILED)
            results_add(c->results, i, NULL, copy(text));
        else if (!large_images_add(&c->waiting, i, size))
            comm_out_of_memory();
    }
    survey_take(&c->survey, first, done, count);
}

void coordinator_take(struct coordinator *c, const struct comm_message *m)
{
    struct wire_rest message = { m->data, m->len };
    uint64_t kind = wire_get_number(&message);
    struct disk *d;

    if (kind == MESSAGE_RESULTS) {
        take_results(c, &message);
        has_done(c, m->rank);
        free(m->data);
        return;
    }
    d = find_disk(c, wire_get_number(&message));
    if (kind == MESSAGE_OPENED) {
        disk_opened(d, m->rank, wire_get_text(&message));
        free(m->data);
        return;
    }
    has_done(c, m->rank);
    disk_take(d, wire_get_number(&message), m->data, message);
}

/* --- commit ------------------------------------------------------------- */

static void tell_to_close(const struct disk *d, int ranks)
{
    for (int i = 0; i < ranks; i++) {
        struct wire w = { .data = NULL };

        if (!d->known[i])
            continue;
        wire_put_number(&w, MESSAGE_CLOSE);
        wire_put_number(&w, d->index);
        wire_send(&w, i);
    }
}

static void end_disk(struct coordinator *c, struct disk *d)
{
    uint64_t index = d->index;
    char *text, *error;

    tell_to_close(d, c->ranks);
    if (disk_end(d, &text, &error))
        c->differs = true;
    disk_progress_end(&c->progress, index, !error);
    results_add(c->results, index, text, error);
    c->disk_count--;
}

static bool commit_all(struct coordinator *c)
{
    struct disk **link = &c->disks;
    bool committed = false;

    while (*link) {
        struct disk *d = *link;

        committed |= disk_commit(d);
        if (d->over && d->out == 0 && d->awaited == 0) {
            *link = d->next;
            end_disk(c, d);
            committed = true;
        } else {
            link = &d->next;
        }
    }
    return committed;
}

bool coordinator_step(struct coordinator *c, bool may_open)
{
    bool opened = may_open && must_open(c);
    bool given, committed;

    if (opened)
        open_next(c);
    given = give_all(c);
    committed = commit_all(c);
    disk_progress_show(&c->progress, c->o,
                       find_disk(c, results_next(c->results)));
    return opened || given || committed;
}

/* --- end ---------------------------------------------------------------- */

bool coordinator_is_done(const struct coordinator *c)
{
    return results_next(c->results) == c->count;
}

static int exit_status(const struct coordinator *c)
{
    if (results_failed(c->results))
        return c->o->digest_list.diff ? EXIT_TROUBLE : EXIT_FAILURE;
    return c->differs ? EXIT_FAILURE : EXIT_SUCCESS;
}

int coordinator_end(struct coordinator *c)
{
    int status = exit_status(c);

    for (int i = 0; i < c->ranks; i++) {
        struct wire w = { .data = NULL };

        wire_put_number(&w, MESSAGE_STOP);
        wire_send(&w, i);
    }
    progress_finish();
    if (c->o->verbose && c->o->list.verbosity != VERBOSITY_QUIET)
        report_job(c->slices, c->cpu_before);
    survey_free(&c->survey);
    large_images_free(&c->waiting);
    results_free(c->results);
    free(c->paces);
    free(c);
    return status;
}
