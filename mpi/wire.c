/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mpi/wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "mpi/comm.h"

#define NUMBER_SIZE 8

/* --- write -------------------------------------------------------------- */

static bool make_room(struct wire *w, size_t len)
{
    size_t room = w->room ? w->room : 64;
    unsigned char *data;

    if (w->failed)
        return false;
    if (len <= w->room - w->len)
        return true;
    while (room - w->len < len)
        room *= 2;
    data = realloc(w->data, room);
    w->failed = !data;
    if (data) {
        w->data = data;
        w->room = room;
    }
    return data;
}

void wire_put(struct wire *w, const void *bytes, size_t len)
{
    if (len == 0 || !make_room(w, len))
        return;
    memcpy(w->data + w->len, bytes, len);
    w->len += len;
}

void wire_put_number(struct wire *w, uint64_t n)
{
    unsigned char bytes[NUMBER_SIZE];

    put_le64(bytes, n);
    wire_put(w, bytes, sizeof(bytes));
}

void wire_put_bytes(struct wire *w, const void *bytes, size_t len)
{
    wire_put_number(w, len);
    wire_put(w, bytes, len);
}

void wire_put_text(struct wire *w, const char *text)
{
    wire_put_bytes(w, text, text ? strlen(text) + 1 : 0);
}

void wire_send(struct wire *w, int rank)
{
    if (w->failed)
        comm_out_of_memory();
    comm_send(rank, w->data, w->len);
    *w = (struct wire){ .data = NULL };
}

/* --- read --------------------------------------------------------------- */

static struct wire_rest take(struct wire_rest *r, size_t len)
{
    const struct wire_rest taken = { r->data, len };

    assert(len <= r->len);
    r->data += len;
    r->len -= len;
    return taken;
}

uint64_t wire_get_number(struct wire_rest *r)
{
    return get_le64(take(r, NUMBER_SIZE).data);
}

struct wire_rest wire_get_bytes(struct wire_rest *r)
{
    return take(r, wire_get_number(r));
}

const char *wire_get_text(struct wire_rest *r)
{
    const struct wire_rest text = wire_get_bytes(r);

    assert(text.len == 0 || text.data[text.len - 1] == 0);
    return text.len ? (const char *)text.data : NULL;
}
