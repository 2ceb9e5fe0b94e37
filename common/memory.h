/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COMMON_MEMORY_H
#define COMMON_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "common/bytes.h"

/*
 * Get the pages of a buffer that will be written, all at once: to fault on each
 * costs more, and in some virtual machines thirty times as much. Advice only:
 * kernels before 5.14 do not know it.
 */
static inline void populate(void *buf, size_t len)
{
#ifdef MADV_POPULATE_WRITE
    const uintptr_t page = 4096; /* where they are larger, it is refused */
    uintptr_t start = (uintptr_t)buf - (uintptr_t)buf % page;

    (void)madvise((void *)start, round_up((uintptr_t)buf + len, page) - start,
                  MADV_POPULATE_WRITE);
#else
    (void)buf;
    (void)len;
#endif
}

#endif
