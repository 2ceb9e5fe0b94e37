/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The monotonic clock, which measures how much time has passed.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static inline int64_t clock_ms(void)
{
    return clock_ns() / 1000000;
}

static inline double clock_seconds(void)
{
    return clock_ns() / 1e9;
}

#endif
