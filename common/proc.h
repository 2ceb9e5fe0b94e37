/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef COMMON_PROC_H
#define COMMON_PROC_H

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* Whether /proc is mounted, and is that of this PID namespace. In that of
 * another namespace, a process ID means another process. */
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
