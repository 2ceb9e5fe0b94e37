/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/difference-sink.h"

#include "common/units.h"

static int add_equal(struct sink *sink, uint64_t sectors, struct error *error)
{
    struct difference_sink *s = (struct difference_sink *)sink;

    return differences_add(s->differences, sectors * SECTOR_SIZE,
                           DIFFERENCE_NONE, error);
}

static int add_kinds(struct sink *sink, const unsigned char *kinds,
                     size_t count, struct error *error)
{
    struct difference_sink *s = (struct difference_sink *)sink;
    int err = 0;
    size_t n;

    for (size_t at = 0; !err && at < count; at += n) {
        n = 1;
        while (at + n < count && kinds[at + n] == kinds[at])
            n++;
        err =
            differences_add(s->differences, n * SECTOR_SIZE, kinds[at], error);
    }
    return err;
}

/* The longer disk may go on after the last slot. */
static int end(struct sink *sink, struct sink_end *sink_end,
               struct error *error)
{
    (void)sink;
    (void)sink_end;
    (void)error;
    return 0;
}

void difference_sink_init(struct difference_sink *s,
                          struct differences *differences)
{
    s->sink = (struct sink){
        .zero = add_equal,
        .digests = add_kinds,
        .end = end,
    };
    s->differences = differences;
}
