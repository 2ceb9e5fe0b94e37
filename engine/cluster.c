/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine/cluster.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/array.h"
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

/* The compressed bytes of a cluster, all of them. */
static int get_input(struct cluster_decoder *d, const struct job *job,
                     const struct job_cluster *cluster,
                     const unsigned char **in, size_t *in_len,
                     struct error *error)
{
    const struct extent *e = &cluster->extent;
    const struct read *read = &job->reads[cluster->read];

    *in = read->buf + (e->host_offset - read->offset);
    *in_len = e->host_length;
    return read_longer(d, e, in, in_len, error);
}

static bool is_same_cluster(const struct extent *a, const struct extent *b)
{
    return a->reader == b->reader && a->host_offset == b->host_offset &&
           a->host_length == b->host_length &&
           a->cluster_size == b->cluster_size && a->codec == b->codec;
}

/* Whether the part is in the cluster that was decoded last: blocks whose
 * digests are known can leave many small parts of one cluster. */
static bool is_decoded(const struct cluster_decoder *d, const struct extent *e)
{
    return d->decoded.length && is_same_cluster(&d->decoded, e) &&
           e->skip + e->length <= d->decoded.length;
}

/* Decode a cluster of which a part is wanted: all of it, if it has all of it;
 * QEMU needs no more than the part. */
static int decode_part(struct cluster_decoder *d, const struct extent *e,
                       const unsigned char *in, size_t in_len)
{
    const size_t needed[] = { e->cluster_size, (size_t)e->skip + e->length };
    int err = EIO;

    d->decoded.length = 0;
    if (!make_room(&d->cluster, &d->cluster_room, e->cluster_size))
        return ENOMEM;
    for (size_t i = 0; err == EIO && i < ARRAY_SIZE(needed); i++) {
        err = decode(d->decoder, e->codec, in, in_len, d->cluster,
                     e->cluster_size, needed[i]);
        if (!err) {
            d->decoded = *e;
            d->decoded.length = needed[i];
        }
    }
    return err;
}

static int decode_to_buffer(struct cluster_decoder *d, struct job *job,
                            const struct job_cluster *cluster,
                            struct error *error)
{
    const struct extent *e = &cluster->extent;
    unsigned char *out = job->buf + cluster->at;
    bool whole = e->length == e->cluster_size;
    const unsigned char *in;
    size_t in_len;
    int err = 0;

    if (whole || !is_decoded(d, e)) {
        err = get_input(d, job, cluster, &in, &in_len, error);
        if (!err && whole)
            return decode(d->decoder, e->codec, in, in_len, out,
                          e->cluster_size, e->cluster_size);
        if (!err)
            err = decode_part(d, e, in, in_len);
    }
    if (!err)
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
