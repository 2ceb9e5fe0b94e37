/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COMMON_MEMORY_H
#define COMMON_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include "common/bytes.h"

/*
 * Allocate all pages of a buffer in one call, before they are written. A page
 * fault for each of them costs more: in some virtual machines thirty times as
 * much. This is only advice, which kernels before 5.14 do not know. For a
 * single page, it would be one more call.
 */
static inline void populate(void *buf, size_t len)
{
#ifdef MADV_POPULATE_WRITE
    const uintptr_t page =
        4096; /* the kernel refuses this if they are larger */
    uintptr_t start = (uintptr_t)buf - (uintptr_t)buf % page;

    if (len <= page)
        return;
    (void)madvise((void *)start, round_up((uintptr_t)buf + len, page) - start,
                  MADV_POPULATE_WRITE);
#else
    (void)buf;
    (void)len;
#endif
}

#endif
