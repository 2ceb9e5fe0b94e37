/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/checksum.h"

#include "cli/base.h"
#include "cli/input.h"
#include "cli/list-write.h"
#include "cli/message.h"
#include "cli/report.h"
#include "cli/run.h"
#include "common/clock.h"
#include "image/image.h"

/* Whether digests were taken, but are not those of the image, or may not be. */
static bool is_worthless(const struct checksum *c)
{
    return c->result.changed || (c->input.known && c->input.known->failed);
}

int checksum_begin(struct checksum *c, const struct options *o,
                   struct list_write *list, const char *name)
{
    double start = clock_seconds();
    struct read_method_figures before;
    size_t printed;
    int err;

    read_choice_figures(read_choice_shared(), &before);
    *c = (struct checksum){ .name = name };
    message_know_name(name);
    err = input_open(o, name, &c->input, &c->error);
    if (err)
        return err;
    printed = input_warn(o, c->input.image, 0);
    if (o->digest_list.base)
        err = base_open(o, &c->input, &c->input.known, &c->error);
    if (!err && list)
        err = list_write_begin(list, o, &c->input, &c->error);
    if (!err)
        err = run_engine(o, &c->input, &c->result, &c->error);
    if (!err && list)
        err = list_write_end(list, &c->error);
    if (err && list && is_worthless(c))
        list_write_discard(list);
    input_warn(o, c->input.image, printed);
    c->seconds = clock_seconds() - start;
    if (!err && o->verbose && o->list.verbosity != VERBOSITY_QUIET)
        report_print(o, c, &before);
    return err;
}

void checksum_end(struct checksum *c)
{
    known_free(c->input.known);
    c->input.known = NULL;
    image_close(c->input.image);
    c->input.image = NULL;
    error_clear(&c->error);
    message_know_name(NULL);
}
