/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/comparison.h"

#include <errno.h>

#include "image/image.h"

static int open_side(struct diff_side *side, const struct options *o,
                     char *const names[2], int n, struct error *error)
{
    int err = diff_side_open(side, o, names, n, error);

    if (!err && side->is_list)
        err = error_set(error, EINVAL,
                        "%s: is a digest list: 'disksum --diff' compares it, "
                        "with another list or an image",
                        names[n]);
    return err;
}

static uint64_t size_of(const struct comparison *c, int side)
{
    return c->sides[side].input.image->size;
}

int comparison_begin(struct comparison *c, const struct options *o,
                     char **names, struct error *error)
{
    int err = 0;

    *c = (struct comparison){ .printer = { .json = false } };
    diff_printer_init(&c->printer, o, &c->differences);
    difference_sink_init(&c->sink, &c->differences);
    for (int i = 0; !err && i < 2; i++)
        err = open_side(&c->sides[i], o, names, i, error);
    if (!err && c->printer.quiet && size_of(c, 0) != size_of(c, 1))
        c->differences.bytes = 1;
    return err;
}

bool comparison_is_over(const struct comparison *c)
{
    return c->printer.quiet && c->differences.bytes > 0;
}

/* What one disk has behind the end of the other. */
static int add_rest(struct comparison *c, struct error *error)
{
    bool a_is_longer = size_of(c, 0) > size_of(c, 1);
    uint64_t size = size_of(c, a_is_longer ? 0 : 1);
    struct differences *d = &c->differences;

    return differences_add(
        d, size - d->offset,
        a_is_longer ? DIFFERENCE_ONLY_IN_A : DIFFERENCE_ONLY_IN_B, error);
}

int comparison_end(struct comparison *c, struct error *error)
{
    int err = 0;

    for (int i = 0; !err && i < 2; i++)
        err = image_check_unchanged(c->sides[i].input.image, error);
    if (err || comparison_is_over(c))
        return err;
    err = add_rest(c, error);
    if (!err)
        err = differences_end(&c->differences, error);
    if (!err)
        diff_printer_end(&c->printer, &c->differences);
    return err;
}

void comparison_close(struct comparison *c)
{
    for (int i = 0; i < 2; i++)
        diff_side_close(&c->sides[i]);
}
