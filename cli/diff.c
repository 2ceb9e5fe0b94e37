/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where two disks differ.
 */
#include "cli/diff.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/diff-print.h"
#include "cli/input.h"
#include "cli/message.h"
#include "cli/run.h"
#include "common/clock.h"
#include "common/units.h"
#include "image/image.h"

/* One of the two that are compared. */
struct side {
    const char *name;
    struct engine_input input;
    size_t warnings; /* that were printed */
};

struct diff {
    const struct options *o;
    struct side sides[2]; /* A and B */
    struct diff_printer printer;
    struct differences differences;
    struct engine_result result;
};

static int open_side(const struct diff *d, struct side *side, char *name,
                     struct error *error)
{
    int err;

    side->name = name;
    message_know_name(name);
    err = input_open(d->o, name, &side->input, error);
    if (!err && !side->input.image)
        err = error_set(error, ESPIPE,
                        "%s: a pipe can be compared with a digest list, but "
                        "not with an image",
                        name);
    return err;
}

static void print_warnings(struct diff *d)
{
    for (int i = 0; i < 2; i++) {
        struct side *side = &d->sides[i];

        side->warnings = input_warn(d->o, side->input.image, side->warnings);
    }
}

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

/* If it stopped early, nobody has looked yet whether the files changed. */
static int check_unchanged(const struct diff *d, struct error *error)
{
    int err = 0;

    for (int i = 0; !err && i < 2; i++)
        err = image_check_unchanged(d->sides[i].input.image, error);
    return err;
}

static int compare_images(struct diff *d, struct error *error)
{
    struct engine_input input = d->sides[0].input;
    uint64_t size_a = input.image->size;
    uint64_t size_b = d->sides[1].input.image->size;
    int err = 0;

    input.other = d->sides[1].input.image;
    input.differences = &d->differences;
    if (d->printer.quiet && size_a != size_b)
        err = add_rest(d, size_a, size_b, error);
    if (!err)
        err = run_engine(d->o, &input, &d->result, error);
    if (!err)
        err = add_rest(d, size_a, size_b, error);
    if (err == ECANCELED && d->differences.bytes) {
        error_clear(error);
        err = check_unchanged(d, error);
    }
    return err;
}

static void report(const struct diff *d, double seconds)
{
    const struct engine_counts *counts = &d->result.counts;
    char compared[SIZE_TEXT], equal[SIZE_TEXT], differ[SIZE_TEXT];
    char read[SIZE_TEXT], rate[SIZE_TEXT];

    message("%s and %s: compared %s, known to be equal without a read: %s; "
            "different: %s",
            d->sides[0].name, d->sides[1].name,
            format_size(counts->data, compared),
            format_size(counts->hole, equal),
            format_size(d->differences.bytes, differ));
    message("read %s in %.3f s, %s/s; threads: %u",
            format_size(counts->read, read), seconds,
            format_size(seconds > 0 ? counts->read / seconds : 0, rate),
            d->result.threads);
}

/* 0, also where they differ, or an error. */
static int run(struct diff *d, struct error *error)
{
    double start = clock_seconds();
    int err = 0;

    for (int i = 0; !err && i < 2; i++)
        err = open_side(d, &d->sides[i], d->o->images[i], error);
    print_warnings(d);
    if (err)
        return err;
    err = compare_images(d, error);
    if (!err)
        err = differences_end(&d->differences, error);
    if (!err)
        diff_printer_end(&d->printer, &d->differences);
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
        image_close(d.sides[i].input.image);
    error_clear(&error);
    message_know_name(NULL);
    return status;
}
