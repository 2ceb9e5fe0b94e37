/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A layer of an image with a script, of a letter for each unit: d data, z
 * zeros, c a compressed cluster, - unallocated, ! an error.
 */
#ifndef TESTS_UNIT_SCRIPTED_LAYER_H
#define TESTS_UNIT_SCRIPTED_LAYER_H

#include "common/units.h"
#include "image/open.h"
#include "memory_reader.h"

#define UNIT SECTOR_SIZE
#define UNITS 100
#define SIZE (UNITS * UNIT)

struct scripted {
    struct chain_layer link;
    struct memory_reader m;
    const char *units;
    unsigned calls;
};

/* Set up a layer on another; NULL: it is the last. */
void script(struct scripted *s, const char *units, struct scripted *on);

#endif
