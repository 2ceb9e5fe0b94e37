/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* What has to hold, whatever the input. */
#define require(condition)                                                     \
    do {                                                                       \
        if (!(condition))                                                      \
            abort();                                                           \
    } while (0)

/* Called by libFuzzer and by replay.c. A failure aborts the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
