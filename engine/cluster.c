/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/cluster.h"

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

static int decode_to_buffer(struct cluster_decoder *d, struct job *job,
                            const struct job_cluster *cluster)
{
    const struct extent *e = &cluster->extent;
    const struct read *read = &job->reads[cluster->read];
    const unsigned char *in = read->buf + (e->host_offset - read->offset);
    unsigned char *out = job->buf + cluster->at;
    bool whole = e->length == e->cluster_size;
    int err;

    if (!whole && !make_room(&d->cluster, &d->cluster_room, e->cluster_size))
        return ENOMEM;
    err = decode(d->decoder, e->codec, in, e->host_length,
                 whole ? out : d->cluster, e->cluster_size);
    if (!err && !whole)
        memcpy(out, d->cluster + e->skip, e->length);
    return err;
}

int cluster_decode(struct cluster_decoder *d, struct job *job,
                   const struct job_cluster *cluster, struct error *error)
{
    const struct extent *e = &cluster->extent;
    int err = ENOMEM;

    if (!d->decoder)
        d->decoder = decoder_new();
    if (d->decoder)
        err = decode_to_buffer(d, job, cluster);
    if (err == ENOMEM)
        error_no_memory(error, e->reader->name);
    else if (err)
        error_set(error, err,
                  "%s: the compressed cluster at offset %" PRIu64
                  ", for guest offset %" PRIu64 ", cannot be decoded",
                  e->reader->name, e->host_offset, e->offset);
    return err;
}

void cluster_decoder_free(struct cluster_decoder *d)
{
    decoder_free(d->decoder);
    free(d->cluster);
}
