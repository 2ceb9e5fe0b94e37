/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/checksum.h"

#include <string.h>

#include "cli/base.h"
#include "cli/input.h"
#include "cli/list-write.h"
#include "cli/message.h"
#include "cli/report.h"
#include "cli/run.h"
#include "common/clock.h"
#include "image/image.h"

/* After an error: whether digests were taken, but are not those of the image,
 * or may not be. base: an older list, of which the rest is verified, or NULL.
 */
static bool is_worthless(const struct checksum *c, struct known *base)
{
    struct error error = ERROR_INIT;

    if (c->result.changed || (c->input.known && c->input.known->failed))
        return true;
    if (!base)
        return false;
    known_end(base, &error);
    error_clear(&error);
    return base->failed;
}

static bool is_expected(const struct expected_sum *e,
                        const struct engine_result *r)
{
    const struct engine_sum *sum = &r->sums[e->hash];

    if (!e->hex)
        return true;
    return sum->md_len == e->md_len && memcmp(sum->md, e->md, e->md_len) == 0;
}

int checksum_begin(struct checksum *c, const struct options *o,
                   struct list_write *list, const char *name)
{
    double start = clock_seconds();
    struct read_method_figures before;
    struct known *base = NULL;
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
        err = base_open(o, &c->input, &base, &c->error);
    c->input.known = base;
    if (!err && list)
        err = list_write_begin(list, o, &c->input, &c->error);
    if (!err) {
        err = run_engine(o, &c->input, &c->result, &c->error);
        if (err && list && is_worthless(c, base))
            list_write_discard(list);
    }
    if (!err && list)
        err = list_write_end(list, &c->error);
    input_warn(o, c->input.image, printed);
    c->matches = !err && is_expected(&o->expected, &c->result);
    c->seconds = clock_seconds() - start;
    if (!err && o->verbose && o->list.verbosity != VERBOSITY_QUIET)
        report_print(o, c, &before);
    return err;
}

struct sums_line checksum_line(const struct checksum *c,
                               const struct options *o, unsigned i)
{
    return (struct sums_line){
        .name = c->name,
        .part = {
            .snapshot = o->image.snapshot,
            .member = o->image.member,
            .has_offset = o->image.offset != 0,
            .offset = o->image.offset,
            .has_length = o->image.has_length,
            .length = o->image.length,
        },
        .digest = o->engine.hashes[i].digest,
        .hash = i,
        .block_size = o->engine.hashes[i].block_size,
        .md = c->result.sums[i].md,
        .md_len = c->result.sums[i].md_len,
    };
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
