/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A deadline is a time of the monotonic clock, in milliseconds. Whoever waits
 * in several steps computes the deadline once and waits for what is left of it.
 */
#ifndef COMMON_DEADLINE_H
#define COMMON_DEADLINE_H

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>

#include "common/clock.h"

#define DEADLINE_NEVER INT64_MAX

/* A negative number of milliseconds means never. */
static inline int64_t deadline_in(int64_t milliseconds)
{
    return milliseconds < 0 ? DEADLINE_NEVER : clock_ms() + milliseconds;
}

/* The milliseconds that are left, as poll() takes them: 0 after the deadline,
 * -1 if there is none. */
static inline int deadline_left(int64_t deadline)
{
    int64_t left;

    if (deadline == DEADLINE_NEVER)
        return -1;
    left = deadline - clock_ms();
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* Wait until one of the events comes. Returns 0, ETIMEDOUT (always, once the
 * deadline has passed), or the errno value of poll(). */
static inline int deadline_poll(int fd, short events, int64_t deadline)
{
    struct pollfd pfd = { .fd = fd, .events = events };
    int left;

    while ((left = deadline_left(deadline)) != 0) {
        int ready = poll(&pfd, 1, left);

        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return errno;
    }
    return ETIMEDOUT;
}

#endif
