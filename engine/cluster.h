/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ENGINE_CLUSTER_H
#define ENGINE_CLUSTER_H

#include "engine/job.h"

/* What a worker needs to decode compressed clusters. All zeros at first. */
struct cluster_decoder {
    struct decoder *decoder;
    unsigned char *cluster; /* a whole one, of which a part is wanted */
    size_t cluster_room;
    struct extent decoded; /* the one that is in there; length 0: none */
    unsigned char *input;  /* of one that is longer than its map says */
    size_t input_room;
};

/* Decode a cluster into the buffer of its job. Its bytes must be there. */
int cluster_decode(struct cluster_decoder *d, struct job *job,
                   const struct job_cluster *cluster, struct error *error);

void cluster_decoder_free(struct cluster_decoder *d);

#endif
