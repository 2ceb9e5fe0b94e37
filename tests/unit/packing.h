/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the tests of the decoder share: a cluster of content, a buffer into
 * which it is packed, and a decoder. main() sets them up with packing_set_up()
 * and packing_tear_down(). The expected results for odd streams are those of
 * qemu-img 7.2.
 */
#ifndef TESTS_UNIT_PACKING_H
#define TESTS_UNIT_PACKING_H

#include "test.h"

#include "format/decode.h"

#define CLUSTER 65536
#define LARGE (2 << 20) /* the largest cluster */
#define ROOM (2 * LARGE)

extern unsigned char content[LARGE];
extern unsigned char packed[ROOM];
extern size_t packed_len;
/* The output of the last call. */
extern unsigned char out[LARGE + 1];

int packing_set_up(void **state);
int packing_tear_down(void **state);

/* Decode so many of the packed bytes. */
int try_length(enum codec codec, size_t in_len, size_t out_len);

/* Decode all packed bytes to a cluster. */
int try(enum codec codec);

/* Likewise, and compare the cluster with content. */
void check(enum codec codec);

/* Add to the packed bytes. */

void put(const void *bytes, size_t len);
void put_deflate(const void *data, size_t len);

struct frame {
    bool sizeless; /* without the content size */
    bool checksum;
    int window_log; /* 0: the encoder's choice */
    size_t flush; /* end a block after so many bytes; 0: the encoder's choice */
};

void put_frame(const void *data, size_t len, const struct frame *f);
void put_zstd(const void *data, size_t len);
void put_sizeless(const void *data, size_t len);
void put_skippable(size_t len);

#endif
