/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/cluster.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "format/layer.h"

static bool make_room(unsigned char **buf, size_t *room, size_t size)
{
    if (size > *room) {
        free(*buf);
        *buf = malloc(size);
        *room = *buf ? size : 0;
    }
    return *buf != NULL;
}

/* Some maps can only guess the length of a cluster. If it is longer, read all
 * of it; this is rare. */
static int read_longer(struct cluster_decoder *d, const struct extent *e,
                       const unsigned char **in, size_t *in_len,
                       struct error *error)
{
    size_t len = decode_input_length(e->codec, *in, *in_len, e->cluster_size);
    int err;

    if (len <= *in_len)
        return 0;
    if (!make_room(&d->input, &d->input_room, len))
        return ENOMEM;
    err = metadata_read(e->reader, e->host_offset, d->input, len, error);
    *in = d->input;
    *in_len = len;
    return err;
}

static int decode_to_buffer(struct cluster_decoder *d, struct job *job,
                            const struct job_cluster *cluster,
                            struct error *error)
{
    const struct extent *e = &cluster->extent;
    const struct read *read = &job->reads[cluster->read];
    const unsigned char *in = read->buf + (e->host_offset - read->offset);
    size_t in_len = e->host_length;
    unsigned char *out = job->buf + cluster->at;
    bool whole = e->length == e->cluster_size;
    int err = read_longer(d, e, &in, &in_len, error);

    if (err)
        return err;
    if (!whole && !make_room(&d->cluster, &d->cluster_room, e->cluster_size))
        return ENOMEM;
    err = decode(d->decoder, e->codec, in, in_len, whole ? out : d->cluster,
                 e->cluster_size, (size_t)e->skip + e->length);
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
        err = decode_to_buffer(d, job, cluster, error);
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
    free(d->input);
}
