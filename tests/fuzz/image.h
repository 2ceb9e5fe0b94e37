/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FUZZ_IMAGE_H
#define TESTS_FUZZ_IMAGE_H

#include "fuzz.h"

/*
 * Any bytes as an image in a format: open it, map it from front to back, read
 * data and decode clusters, up to a limit. Each extent must keep the contract
 * of format/extent.h. snapshot: NULL for the active disk.
 */
void fuzz_image(const uint8_t *data, size_t size, const char *format,
                const char *snapshot);

/* Any bytes as an image with a bitmap of this name: read all of it, up to a
 * limit. */
void fuzz_bitmap(const uint8_t *data, size_t size, const char *format,
                 const char *name);

/* As fuzz_image(), but for its layer alone: what is below it is not opened. */
void fuzz_layer(const uint8_t *data, size_t size, const char *format);

#endif
