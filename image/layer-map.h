/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IMAGE_LAYER_MAP_H
#define IMAGE_LAYER_MAP_H

#include "image/open.h"

/* Map a range of a layer, which is not empty, and ends at or before the layer's
 * size. The layer is asked for as much as it can tell, and the answer is kept.
 * So what the chain or the host cuts into pieces is looked up only once. */
int layer_map(struct chain_layer *l, uint64_t offset, uint64_t length,
              struct extent *extent, struct error *error);

#endif
