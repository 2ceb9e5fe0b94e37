/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Persistent bitmaps of a qcow2 image, which record what a guest has written.
 * They are looked at only if the user names one. qcow2-bitmap-directory.c finds
 * it, qcow2-bitmap.c reads it.
 */
#ifndef FORMAT_QCOW2_BITMAP_H
#define FORMAT_QCOW2_BITMAP_H

#include "format/qcow2.h"

/* QEMU's limits, of which the smaller granularity is a sector. */
#define QCOW2_MAX_BITMAP_NAME 1023
#define QCOW2_MIN_GRANULARITY_BITS 9
#define QCOW2_MAX_GRANULARITY_BITS 31
#define QCOW2_MAX_BITMAP_SIZE (512 * MiB) /* its data */

/* An entry of the bitmap directory. */
struct qcow2_bitmap_entry {
    uint64_t table_offset;
    uint32_t table_entries;
    uint32_t flags;
    uint8_t type;
    uint8_t granularity_bits;
    uint32_t extra_length;
    char name[QCOW2_MAX_BITMAP_NAME + 1];
};

/* Find the bitmap of this name. Nothing of its entry is checked but that it
 * is in the directory. */
int qcow2_find_bitmap(struct qcow2 *q, const char *name,
                      struct qcow2_bitmap_entry *entry, struct error *error);

/* layer_ops.bitmap */
int qcow2_bitmap(struct layer *layer, const char *name,
                 struct changes **changes, struct error *error);

#endif
