/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What this process, and what it starts, may do to the host.
 *
 * A file that QEMU opens for an image can name others, and options for them:
 * the author of an image can ask a qemu-nbd that was told to read only for a
 * node that writes. So it is the kernel that keeps everything as it is.
 */
#ifndef PROCESS_CONFINE_H
#define PROCESS_CONFINE_H

#include <stdbool.h>

#include "common/error.h"

/*
 * From now on this process, its threads and its children write to no file that
 * they open, and create, rename and remove nothing. The exception are sockets
 * and directories in the temporary directory, which the socket of a server
 * needs. Without network they make no connections by TCP, where the kernel can
 * do that. Descriptors that are open stay as they are. Where the kernel has no
 * Landlock, nothing happens. Only while there is one thread.
 */
void confine_this_process(bool network);

/*
 * In the child that is about to become qemu-nbd: it writes nothing at all, and
 * without network it makes no sockets; the one that it inherits works. By a
 * seccomp filter, which leaves to Landlock what that sees better. An error (a
 * positive errno value): the kernel allows no filter.
 */
int confine_qemu(bool network);

#endif
