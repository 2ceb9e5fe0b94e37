/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COMMON_PROC_H
#define COMMON_PROC_H

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* Whether /proc is there and of this PID namespace. In another one's, a number
 * of a process stands for a process of somebody else. */
static inline bool proc_is_ours(void)
{
    char pid[16];
    ssize_t n = readlink("/proc/self", pid, sizeof(pid) - 1);

    if (n <= 0)
        return false;
    pid[n] = '\0';
    return atol(pid) == getpid();
}

#endif
