/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef ENGINE_UNPACK_H
#define ENGINE_UNPACK_H

#include "engine/slot.h"

/* What a worker needs to decode the units of its jobs. All zeros at first. */
struct unpacker {
    struct decoder *decoder;
    unsigned char *cluster; /* one of which a part is wanted */
    size_t cluster_room;
};

/* Decode a unit into the buffer of its job. Its bytes must be there. */
int unpack(struct unpacker *u, struct job *job, const struct unit *unit,
           struct error *error);

void unpacker_free(struct unpacker *u);

#endif
