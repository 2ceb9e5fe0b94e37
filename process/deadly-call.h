/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * System calls that kill. The kernel refuses those that it does not have, and
 * most seccomp filters refuse what they do not allow. But a filter may also
 * kill the process, as that of a systemd unit does by default
 * (SystemCallFilter=).
 */
#ifndef PROCESS_DEADLY_CALL_H
#define PROCESS_DEADLY_CALL_H

#include <stdbool.h>

/*
 * Whether a filter kills who makes a system call, so that it must be done
 * without. If this process has a filter, a child tries the call, with arguments
 * that the kernel refuses; otherwise this is one system call.
 */
bool call_is_deadly(long number);

#endif
