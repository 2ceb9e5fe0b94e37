/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The processes below this one, a subreaper (PR_SET_CHILD_SUBREAPER): a
 * descendant whose parent ends becomes a child of this process.
 */
#ifndef PROCESS_DESCENDANTS_H
#define PROCESS_DESCENDANTS_H

#include <stdbool.h>
#include <sys/types.h>

/* Send a signal to every child that this process has now. Returns false where
 * no /proc tells which they are. */
bool descendants_signal(int number);

/* Whether the other processes of this one's group have stopped or ended. Where
 * no /proc tells, they have. */
bool descendants_stopped(void);

#endif
