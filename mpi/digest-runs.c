/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/digest-runs.h"

#include <string.h>

#include "common/bytes.h"

/* --- write -------------------------------------------------------------- */

/* A run is a number, twice its blocks and 1 if it has digests, and these. */
static uint64_t run_number(bool digests, uint64_t count)
{
    return 2 * count + digests;
}

/* Begin a run, or make the last one longer. */
static void add(struct runs_sink *s, bool digests, uint64_t count)
{
    if (count == 0)
        return;
    s->blocks += count;
    if (s->count == 0 || s->digests != digests) {
        s->digests = digests;
        s->count = count;
        s->start = s->wire->len;
        wire_put_number(s->wire, run_number(digests, count));
        return;
    }
    s->count += count;
    if (!s->wire->failed)
        put_le64(s->wire->data + s->start, run_number(digests, s->count));
}

static int finish(const struct runs_sink *s, struct error *error)
{
    return s->wire->failed ? error_no_memory(error, s->name) : 0;
}

static int add_zero(struct sink *sink, uint64_t blocks, struct error *error)
{
    struct runs_sink *s = (struct runs_sink *)sink;

    add(s, false, blocks);
    return finish(s, error);
}

static int add_digests(struct sink *sink, const unsigned char *mds,
                       size_t count, struct error *error)
{
    struct runs_sink *s = (struct runs_sink *)sink;

    add(s, true, count);
    wire_put(s->wire, mds, count * s->md_size);
    return finish(s, error);
}

static int end(struct sink *sink, struct sink_end *sink_end,
               struct error *error)
{
    (void)sink_end;
    return finish((struct runs_sink *)sink, error);
}

void runs_sink_init(struct runs_sink *s, struct wire *wire, size_t md_size,
                    const char *name)
{
    *s = (struct runs_sink){
        .sink = { .zero = add_zero, .digests = add_digests, .end = end },
        .wire = wire,
        .md_size = md_size,
        .name = name,
    };
}

/* --- read --------------------------------------------------------------- */

int runs_give_zeros(uint64_t count, struct sink *const *sinks,
                    size_t sink_count, uint64_t *blocks, struct error *error)
{
    int err = 0;

    *blocks = count < MAX_ZEROS ? count : MAX_ZEROS;
    for (size_t i = 0; !err && i < sink_count; i++)
        err = sinks[i]->zero(sinks[i], *blocks, error);
    return err;
}

int runs_give(struct runs *r, struct sink *const *sinks, size_t sink_count,
              uint64_t *blocks, struct error *error)
{
    const unsigned char *mds;
    int err = 0;

    *blocks = 0;
    if (r->count == 0 && r->rest.len == 0)
        return 0;
    if (r->count == 0) {
        uint64_t number = wire_get_number(&r->rest);

        r->digests = number % 2;
        r->count = number / 2;
    }
    if (!r->digests) {
        err = runs_give_zeros(r->count, sinks, sink_count, blocks, error);
        r->count -= *blocks;
        return err;
    }
    mds = r->rest.data;
    for (size_t i = 0; !err && i < sink_count; i++)
        err = sinks[i]->digests(sinks[i], mds, r->count, error);
    r->rest.data += r->count * r->md_size;
    r->rest.len -= r->count * r->md_size;
    *blocks = r->count;
    r->count = 0;
    return err;
}
