/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/slice.h"

#include <stdlib.h>

#include "mpi/comm.h"
#include "mpi/protocol.h"
#include "mpi/digest-runs.h"
#include "mpi/warnings.h"

struct slice {
    const struct options *o;
    struct open_image *image;
    uint64_t number;
    struct engine_input input;
    struct runs_sink runs_sink;
    struct sink *sinks[1]; /* the same, for the engine */
    struct wire runs;
    struct error error;
};

struct slice *slice_begin(const struct options *o, struct open_image *image,
                          size_t md_size, struct wire_rest *message,
                          struct engine **engine)
{
    struct slice *s = calloc(1, sizeof(*s));

    if (!s)
        comm_out_of_memory();
    s->o = o;
    s->image = image;
    s->number = wire_get_number(message);
    if (image->error)
        return s;
    runs_sink_init(&s->runs_sink, &s->runs, md_size, image->names[0]);
    s->sinks[0] = &s->runs_sink.sink;
    s->input = image->input;
    s->input.other = image->other;
    s->input.is_part = true;
    s->input.first_block = wire_get_number(message);
    s->input.blocks = wire_get_number(message);
    s->input.sinks = s->sinks;
    s->input.sink_count = 1;
    if (engine_new(&o->engine, &s->input, engine, &s->error) == 0 &&
        engine_start(*engine, &s->error) == 0)
        return s;
    engine_free(*engine);
    *engine = NULL;
    return s;
}

static void put_counts(struct wire *w, const struct engine_counts *c)
{
    wire_put_number(w, c->data);
    wire_put_number(w, c->zero);
    wire_put_number(w, c->hole);
    wire_put_number(w, c->read);
}

static void put_error(struct wire *w, const struct slice *s)
{
    char *text = NULL;

    if (s->error.code && !(text = host_error(&s->error)))
        comm_out_of_memory();
    wire_put_text(w, text ? text : s->image->error);
    free(text);
}

static void put_warnings(struct wire *w, const struct slice *s,
                         const struct engine_result *result)
{
    struct open_image *i = s->image;

    wire_put_text(w, comm_host());
    i->warned[0] = warnings_put(w, i->input.image, i->warned[0]);
    i->warned[1] = warnings_put(w, i->other, i->warned[1]);
    warnings_put_hole(w, &result->false_hole);
}

void slice_end(struct slice *s, struct engine *engine)
{
    struct engine_result result = { .length = 0 };
    struct wire reply = { .data = NULL };

    if (engine)
        engine_finish(engine, &result, &s->error);
    engine_free(engine);
    wire_put_number(&reply, MESSAGE_DIGESTS);
    wire_put_number(&reply, s->image->index);
    wire_put_number(&reply, s->number);
    put_error(&reply, s);
    wire_put_number(&reply, result.changed);
    put_counts(&reply, &result.counts);
    put_warnings(&reply, s, &result);
    if (!s->error.code)
        wire_put(&reply, s->runs.data, s->runs.len);
    wire_send(&reply, 0);
    free(s->runs.data);
    error_clear(&s->error);
    free(s);
}
