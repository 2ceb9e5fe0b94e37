/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a VPC image. The checksum of the footer is made right, since the
 * fuzzer would not get past it.
 */
#include "image.h"

#include <stdlib.h>
#include <string.h>

#define FOOTER_SIZE 512
#define AT_TYPE 60
#define AT_CHECKSUM 64
#define DIFFERENCING 4

static void set_checksum(uint8_t *footer)
{
    uint32_t sum = 0;

    memset(footer + AT_CHECKSUM, 0, 4);
    for (size_t i = 0; i < FOOTER_SIZE; i++)
        sum += footer[i];
    for (int i = 0; i < 4; i++)
        footer[AT_CHECKSUM + i] = (uint8_t)(~sum >> (24 - 8 * i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);

    if (!copy)
        return 0;
    memcpy(copy, data, size);
    copy[size] = 0;
    if (size >= FOOTER_SIZE) {
        set_checksum(copy + (size - FOOTER_SIZE) / FOOTER_SIZE * FOOTER_SIZE);
        set_checksum(copy);
    }
    fuzz_layer(copy, size, "vpc");
    /* No file of this host is opened. */
    if (size >= FOOTER_SIZE && copy[AT_TYPE + 3] != DIFFERENCING &&
        copy[size - size % FOOTER_SIZE - FOOTER_SIZE + AT_TYPE + 3] !=
            DIFFERENCING)
        fuzz_image(copy, size, "vpc", NULL);
    free(copy);
    return 0;
}
