/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a VDI image.
 */
#include "image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_image(data, size, "vdi", NULL);
    return 0;
}
