/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All processes below this one, of which it is the subreaper: whoever loses his
 * parent becomes its child, so there is no way out, neither by setsid() nor by
 * a second fork.
 */
#ifndef PROCESS_DESCENDANTS_H
#define PROCESS_DESCENDANTS_H

#include <stdbool.h>
#include <sys/types.h>

/* Send a signal to every child that this process has now. False where there is
 * no /proc to find them. */
bool descendants_signal(int number);

#endif
