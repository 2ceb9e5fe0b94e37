/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A sink for slots of pairs: it takes an enum difference_kind for each sector
 * where others take a digest for each block.
 */
#ifndef ENGINE_DIFFERENCE_SINK_H
#define ENGINE_DIFFERENCE_SINK_H

#include "list/difference.h"
#include "list/sink.h"

struct difference_sink {
    struct sink sink; /* the first member */
    struct differences *differences;
};

/* The differences are the caller's. */
void difference_sink_init(struct difference_sink *s,
                          struct differences *differences);

#endif
