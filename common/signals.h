/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What signal handlers have in common. They handle signals from the kernel. The
 * same signal from a process ends this process, as if there were no handler.
 */
#ifndef COMMON_SIGNALS_H
#define COMMON_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* Whether a process sent the signal, by kill(), sigqueue() or tgkill(). */
static inline bool signal_was_sent(const siginfo_t *info)
{
    return info->si_code <= 0;
}

/* In a handler: let the signal end the process as soon as the handler returns.
 */
static inline void signal_end_by(int number)
{
    (void)sigaction(number, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
    (void)raise(number);
}

#endif
