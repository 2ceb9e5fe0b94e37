/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/unpack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(unsigned char **buf, size_t *room, size_t size)
{
    if (size > *room) {
        free(*buf);
        *buf = malloc(size);
        *room = *buf ? size : 0;
    }
    return *buf != NULL;
}

/* The compressed bytes of a unit. NULL when out of memory. */
static const unsigned char *input_of(struct unpacker *u, const struct job *job,
                                     const struct unit *unit)
{
    const struct read *read = &job->reads[unit->read];
    size_t before = unit->extent.host_offset - read->offset;
    size_t there = read->len - before;
    size_t wanted = unit->extent.host_length;

    if (there >= wanted)
        return read->buf + before;
    if (!make_room(&u->padded, &u->padded_room, wanted))
        return NULL;
    memcpy(u->padded, read->buf + before, there);
    memset(u->padded + there, 0, wanted - there);
    return u->padded;
}

static int unpack_unit(struct unpacker *u, struct job *job,
                       const struct unit *unit)
{
    const struct extent *e = &unit->extent;
    const unsigned char *in = input_of(u, job, unit);
    unsigned char *out = job->buf + unit->at;
    bool whole = e->length == e->cluster_size;
    int err;

    if (!in ||
        (!whole && !make_room(&u->cluster, &u->cluster_room, e->cluster_size)))
        return ENOMEM;
    err = decode(u->decoder, e->codec, in, e->host_length,
                 whole ? out : u->cluster, e->cluster_size);
    if (!err && !whole)
        memcpy(out, u->cluster + e->skip, e->length);
    return err;
}

int unpack(struct unpacker *u, struct job *job, const struct unit *unit,
           struct error *error)
{
    const struct extent *e = &unit->extent;
    int err = ENOMEM;

    if (!u->decoder)
        u->decoder = decoder_new();
    if (u->decoder)
        err = unpack_unit(u, job, unit);
    if (err == ENOMEM)
        error_set(error, err, "%s: out of memory", e->reader->name);
    else if (err)
        error_set(error, err,
                  "%s: the compressed cluster at offset %" PRIu64
                  ", for guest offset %" PRIu64 ", can not be decoded",
                  e->reader->name, e->host_offset, e->offset);
    return err;
}

void unpacker_free(struct unpacker *u)
{
    decoder_free(u->decoder);
    free(u->cluster);
    free(u->padded);
}
