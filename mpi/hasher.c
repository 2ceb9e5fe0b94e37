/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/hasher.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "mpi/batch.h"
#include "mpi/open-images.h"
#include "mpi/protocol.h"
#include "mpi/slice.h"

struct job {
    struct comm_message message;
    struct job *next;
};

struct hasher {
    const struct options *o;
    size_t md_size;
    struct open_images images;
    struct job *first, **last; /* what is to be done */
    struct slice *slice;       /* at work, or */
    struct batch *batch;
    struct engine *engine; /* that runs for it; NULL: none */
};

struct hasher *hasher_new(const struct options *o, size_t md_size)
{
    struct hasher *h = calloc(1, sizeof(*h));

    if (!h)
        comm_out_of_memory();
    h->o = o;
    h->md_size = md_size;
    h->last = &h->first;
    return h;
}

void hasher_add(struct hasher *h, const struct comm_message *m)
{
    struct job *job = malloc(sizeof(*job));

    if (!job)
        comm_out_of_memory();
    *job = (struct job){ .message = *m };
    *h->last = job;
    h->last = &job->next;
}

int hasher_fd(const struct hasher *h)
{
    return h->engine ? engine_done_fd(h->engine) : -1;
}

/* --- jobs --------------------------------------------------------------- */

static void open_image(struct hasher *h, struct wire_rest *message)
{
    uint64_t index = wire_get_number(message);
    bool answer = wire_get_number(message);
    struct open_image *i = open_images_add(&h->images, h->o, index, message);
    struct wire reply = { .data = NULL };

    if (!answer)
        return;
    wire_put_number(&reply, MESSAGE_OPENED);
    wire_put_number(&reply, index);
    wire_put_text(&reply, i->error);
    wire_send(&reply, 0);
}

static void begin_slice(struct hasher *h, struct wire_rest *message)
{
    uint64_t index = wire_get_number(message);
    struct open_image *i = open_images_find(&h->images, index);

    h->slice = slice_begin(h->o, i, h->md_size, message, &h->engine);
}

/* The message stays with a batch, which has names in it. */
static void begin(struct hasher *h, struct comm_message *m)
{
    struct wire_rest message = { m->data, m->len };

    switch (wire_get_number(&message)) {
    case MESSAGE_OPEN:
        open_image(h, &message);
        break;
    case MESSAGE_SLICE:
        begin_slice(h, &message);
        break;
    case MESSAGE_CLOSE:
        open_images_remove(&h->images, wire_get_number(&message));
        break;
    case MESSAGE_IMAGES:
        h->batch = batch_begin(h->o, m->data, message);
        m->data = NULL;
        break;
    }
    free(m->data);
}

static bool begin_next(struct hasher *h)
{
    struct job *job = h->first;

    if (!job)
        return false;
    h->first = job->next;
    if (!h->first)
        h->last = &h->first;
    begin(h, &job->message);
    free(job);
    return true;
}

/* --- engines ------------------------------------------------------------ */

static bool is_finished(struct engine *e)
{
    struct pollfd pfd = { .fd = engine_done_fd(e), .events = POLLIN };
    int n = poll(&pfd, 1, 0);

    /* If poll() fails, to end the engine waits, too. */
    return pfd.fd < 0 || n > 0 || (n < 0 && errno != EINTR);
}

bool hasher_step(struct hasher *h)
{
    if (h->engine && !is_finished(h->engine))
        return false;
    if (h->slice) {
        slice_end(h->slice, h->engine);
        h->slice = NULL;
        h->engine = NULL;
        return true;
    }
    if (h->batch) {
        if (!batch_step(h->batch, &h->engine))
            h->batch = NULL;
        return true;
    }
    return begin_next(h);
}

void hasher_free(struct hasher *h)
{
    while (h->images.first)
        open_images_remove(&h->images, h->images.first->index);
    free(h);
}
