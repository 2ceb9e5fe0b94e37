/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a qcow2 image, as one with a snapshot, and as one with a bitmap.
 */
#include "image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_image(data, size, "qcow2", NULL);
    fuzz_image(data, size, "qcow2", "1");
    fuzz_bitmap(data, size, "qcow2", "b0");
    return 0;
}
