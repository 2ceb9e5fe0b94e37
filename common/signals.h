/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What handlers of signals have in common. A handler is for what the kernel has
 * to tell; the same signal from a process ends this one, as if there were none.
 */
#ifndef COMMON_SIGNALS_H
#define COMMON_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/* Whether a process sent it: kill(), sigqueue(), tgkill(). */
static inline bool signal_was_sent(const siginfo_t *info)
{
    return info->si_code <= 0;
}

/* From a handler: end by this signal, as soon as the handler returns. */
static inline void signal_end_by(int number)
{
    (void)sigaction(number, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
    (void)raise(number);
}

#endif
