/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The watcher process: process/watch.h tells what it does, and the protocol.
 */
#ifndef PROCESS_WATCHER_H
#define PROCESS_WATCHER_H

#include "process/watch.h"

/* The longest that it takes to stop the server and all that it started. */
#define WATCHER_STOP_MS 15000

/* Become the watcher, in a new process in which all signals are blocked. fd is
 * its side of the socket pair. */
_Noreturn void watcher_run(int fd, pid_t owner, const struct watch_job *job);

#endif
