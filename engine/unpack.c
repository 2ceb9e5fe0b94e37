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

static int unpack_unit(struct unpacker *u, struct job *job,
                       const struct unit *unit)
{
    const struct extent *e = &unit->extent;
    const struct read *read = &job->reads[unit->read];
    const unsigned char *in = read->buf + (e->host_offset - read->offset);
    unsigned char *out = job->buf + unit->at;
    bool whole = e->length == e->cluster_size;
    int err;

    if (!whole && !make_room(&u->cluster, &u->cluster_room, e->cluster_size))
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
        error_no_memory(error, e->reader->name);
    else if (err)
        error_set(error, err,
                  "%s: the compressed cluster at offset %" PRIu64
                  ", for guest offset %" PRIu64 ", cannot be decoded",
                  e->reader->name, e->host_offset, e->offset);
    return err;
}

void unpacker_free(struct unpacker *u)
{
    decoder_free(u->decoder);
    free(u->cluster);
}
