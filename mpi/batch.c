/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/batch.h"

#include <stdlib.h>

#include "cli/checksum.h"
#include "cli/input.h"
#include "cli/message.h"
#include "common/clock.h"
#include "image/image.h"
#include "mpi/comm.h"
#include "mpi/open-images.h"
#include "mpi/protocol.h"
#include "mpi/result.h"
#include "mpi/warnings.h"

/* The images that are not begun after so long go to whoever has time. */
#define MAX_SECONDS 0.25

struct batch {
    const struct options *o;
    unsigned char *data; /* the message, which has the names */
    struct wire_rest names;
    uint64_t first, count, limit;
    uint64_t done;
    struct wire results; /* of those that are done */
    double start;
    struct checksum c; /* of the image at work */
    double c_start;
};

struct batch *batch_begin(const struct options *o, unsigned char *data,
                          struct wire_rest message)
{
    struct batch *b = calloc(1, sizeof(*b));

    if (!b)
        comm_out_of_memory();
    b->o = o;
    b->data = data;
    b->first = wire_get_number(&message);
    b->count = wire_get_number(&message);
    b->limit = wire_get_number(&message);
    b->names = message;
    b->start = clock_seconds();
    return b;
}

static void send_results(struct batch *b)
{
    struct wire reply = { .data = NULL };

    wire_put_number(&reply, MESSAGE_RESULTS);
    wire_put_number(&reply, b->first);
    wire_put_number(&reply, b->count);
    wire_put_number(&reply, b->done);
    wire_put_text(&reply, comm_host());
    wire_put(&reply, b->results.data, b->results.len);
    wire_send(&reply, 0);
    free(b->results.data);
    free(b->data);
    free(b);
}

/* --- one image ---------------------------------------------------------- */

static void put_result(struct batch *b, enum image_state state, uint64_t size,
                       const char *text)
{
    wire_put_number(&b->results, state);
    wire_put_number(&b->results, size);
    wire_put_text(&b->results, text);
    /* Rank 0 opens a large image itself. */
    warnings_put(&b->results, state == IMAGE_LARGE ? NULL : b->c.input.image,
                 0);
    warnings_put_hole(&b->results, &b->c.result.false_hole);
    b->done++;
}

static void put_failure(struct batch *b)
{
    char *text = host_error(&b->c.error);

    if (!text)
        comm_out_of_memory();
    put_result(b, IMAGE_FAILED, 0, text);
    free(text);
}

static void put_checksum(struct batch *b)
{
    char *text = result_text(b->o, &b->c);

    if (!text)
        comm_out_of_memory();
    put_result(b, IMAGE_DONE, b->c.result.length, text);
    free(text);
}

static void end_image(struct batch *b, struct engine *engine)
{
    struct checksum *c = &b->c;

    if (engine)
        engine_finish(engine, &c->result, &c->error);
    engine_free(engine);
    c->seconds = clock_seconds() - b->c_start;
    if (c->error.code)
        put_failure(b);
    else
        put_checksum(b);
    checksum_end(c);
    c->name = NULL;
}

static void begin_image(struct batch *b, struct engine **engine)
{
    struct checksum *c = &b->c;

    *c = (struct checksum){ .name = wire_get_text(&b->names) };
    b->c_start = clock_seconds();
    message_know_name(c->name);
    if (input_open(b->o, c->name, &c->input, &c->error))
        return;
    if (c->input.image->size > b->limit) {
        put_result(b, IMAGE_LARGE, c->input.image->size, NULL);
        checksum_end(c);
        c->name = NULL;
        return;
    }
    if (engine_new(&b->o->engine, &c->input, engine, &c->error) == 0 &&
        engine_start(*engine, &c->error) == 0)
        return;
    engine_free(*engine);
    *engine = NULL;
}

bool batch_step(struct batch *b, struct engine **engine)
{
    if (b->c.name)
        end_image(b, *engine);
    *engine = NULL;
    if (b->done < b->count &&
        (b->done == 0 || clock_seconds() - b->start < MAX_SECONDS)) {
        begin_image(b, engine);
        return true;
    }
    send_results(b);
    return false;
}
