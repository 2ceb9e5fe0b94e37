/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where two disks differ.
 */
#include "cli/diff.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diff-print.h"
#include "cli/diff-side.h"
#include "cli/message.h"
#include "cli/run.h"
#include "common/clock.h"
#include "common/units.h"
#include "image/image.h"
#include "list/compare.h"
#include "list/feed.h"

struct diff {
    const struct options *o;
    struct diff_side sides[2]; /* A and B */
    struct diff_printer printer;
    struct differences differences;
    struct engine_result result;
};

static int open_sides(struct diff *d, struct error *error)
{
    int err = 0;

    for (int i = 0; !err && i < 2; i++)
        err = diff_side_open(&d->sides[i], d->o, d->o->images, i, error);
    return err;
}

static void print_warnings(struct diff *d)
{
    for (int i = 0; i < 2; i++)
        diff_side_warn(&d->sides[i], d->o);
}

/* --- two images --------------------------------------------------------- */

/* What one disk has behind the end of the other. */
static int add_rest(struct diff *d, uint64_t size_a, uint64_t size_b,
                    struct error *error)
{
    struct differences *differences = &d->differences;
    uint64_t size = size_a > size_b ? size_a : size_b;

    if (differences->offset < size)
        differences_add(differences, size - differences->offset,
                        size_a > size_b ? DIFFERENCE_ONLY_IN_A
                                        : DIFFERENCE_ONLY_IN_B,
                        error);
    return error->code;
}

static int compare_images(struct diff *d, struct error *error)
{
    struct engine_input input = d->sides[0].input;
    struct image *a = input.image, *b = d->sides[1].input.image;
    int err;

    if (!a || !b)
        return error_set(error, ESPIPE,
                         "%s: a pipe can be compared with a digest list, but "
                         "not with an image",
                         d->sides[a ? 1 : 0].name);
    input.other = b;
    input.differences = &d->differences;
    err = run_engine(d->o, &input, &d->result, error);
    return err ? err : add_rest(d, a->size, b->size, error);
}

/* --- lists -------------------------------------------------------------- */

/* Hash an image, and compare its digests with those of a list. */
static int compare_image(struct diff *d, struct list_compare *compare,
                         const struct list_header *header,
                         const struct diff_side *side, struct error *error)
{
    struct options o = *d->o;
    struct engine_input input = side->input;
    struct sink *sink = list_compare_sink(compare);

    o.engine.hashes[0].block_size = header->block_size;
    o.engine.hashes[0].digest = header->digest;
    input.sinks = &sink;
    input.sink_count = 1;
    return run_engine(&o, &input, &d->result, error);
}

static int check_headers(const struct list_reader *a,
                         const struct list_reader *b, struct error *error)
{
    const struct list_header *ha = list_reader_header(a);
    const struct list_header *hb = list_reader_header(b);

    if (ha->block_size != hb->block_size)
        return error_set(error, EINVAL,
                         "%s has blocks of %" PRIu64
                         " bytes, and %s of %" PRIu64
                         "; they cannot be compared",
                         list_reader_name(a), ha->block_size,
                         list_reader_name(b), hb->block_size);
    if (strcmp(ha->digest, hb->digest) != 0)
        return error_set(error, EINVAL,
                         "%s has the digest %s, and %s has %s; they cannot be "
                         "compared",
                         list_reader_name(a), ha->digest, list_reader_name(b),
                         hb->digest);
    return 0;
}

static int compare_lists(struct list_reader *a, struct list_reader *b,
                         struct list_compare *compare, struct error *error)
{
    int err = check_headers(a, b, error);

    return err ? err : list_feed(a, list_compare_sink(compare), error);
}

/* Compare one side with the list that the other one is. */
static int compare_with_list(struct diff *d, struct error *error)
{
    bool list_is_a = !d->sides[1].is_list;
    const struct diff_side *other = &d->sides[list_is_a ? 1 : 0];
    struct list_reader *list = d->sides[list_is_a ? 0 : 1].list.reader;
    struct list_compare *compare;
    int err =
        list_compare_new(list, list_is_a, &d->differences, &compare, error);

    if (err)
        return err;
    if (other->is_list)
        err = compare_lists(other->list.reader, list, compare, error);
    else
        err = compare_image(d, compare, list_reader_header(list), other, error);
    list_compare_free(compare);
    return err;
}

/* --- both --------------------------------------------------------------- */

/* Whether the lengths alone tell that the disks differ, where no more is asked.
 */
static bool is_length_enough(const struct diff *d)
{
    uint64_t a, b;

    return d->printer.quiet && diff_side_length(&d->sides[0], &a) &&
           diff_side_length(&d->sides[1], &b) && a != b;
}

/* If it stopped early, nobody has looked yet whether the files changed. */
static int check_unchanged(const struct diff *d, struct error *error)
{
    int err = 0;

    for (int i = 0; !err && i < 2; i++) {
        struct image *image = d->sides[i].input.image;

        if (image)
            err = image_check_unchanged(image, error);
    }
    return err;
}

static int compare(struct diff *d, struct error *error)
{
    int err;

    if (is_length_enough(d)) {
        d->differences.bytes = 1;
        return check_unchanged(d, error);
    }
    if (d->sides[0].is_list || d->sides[1].is_list)
        err = compare_with_list(d, error);
    else
        err = compare_images(d, error);
    if (!err)
        err = differences_end(&d->differences, error);
    if (!err)
        diff_printer_end(&d->printer, &d->differences);
    if (err == ECANCELED && d->differences.stop && d->differences.bytes) {
        error_clear(error);
        err = check_unchanged(d, error);
    }
    return err;
}

static void report(const struct diff *d, double seconds)
{
    const struct engine_counts *counts = &d->result.counts;
    uint64_t unread = counts->hole + counts->known;
    char compared[SIZE_TEXT], equal[SIZE_TEXT], differ[SIZE_TEXT];
    char read[SIZE_TEXT], rate[SIZE_TEXT];

    message("%s and %s: compared %s; different: %s", d->sides[0].name,
            d->sides[1].name, format_size(d->differences.offset, compared),
            format_size(d->differences.bytes, differ));
    if (d->result.threads)
        message("read %s in %.3f s, %s/s; not read, as it is known: %s; "
                "threads: %u",
                format_size(counts->read, read), seconds,
                format_size(seconds > 0 ? counts->read / seconds : 0, rate),
                format_size(unread, equal), d->result.threads);
}

/* 0, also where they differ, or an error. */
static int run(struct diff *d, struct error *error)
{
    double start = clock_seconds();
    int err = open_sides(d, error);

    print_warnings(d);
    if (err)
        return err;
    err = compare(d, error);
    print_warnings(d);
    if (!err && d->o->verbose && !d->printer.quiet)
        report(d, clock_seconds() - start);
    return err;
}

int diff_run(const struct options *o)
{
    struct diff d = { .o = o };
    struct error error = ERROR_INIT;
    int status;

    diff_printer_init(&d.printer, o, &d.differences);
    if (run(&d, &error)) {
        message("%s", error_message(&error));
        status = EXIT_TROUBLE;
    } else {
        status = d.differences.bytes ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    for (int i = 0; i < 2; i++)
        diff_side_close(&d.sides[i]);
    error_clear(&error);
    message_know_name(NULL);
    return status;
}
