/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What this process and the servers that it starts may do to the host.
 *
 * An image can name other files, and options for opening them. So the author of
 * an image could make a server write, although the server was asked only to
 * read. The kernel prevents that, with Landlock and seccomp.
 */
#ifndef PROCESS_CONFINE_H
#define PROCESS_CONFINE_H

#include <stdbool.h>

#include "common/error.h"

/*
 * From now on this process, its threads and its children cannot open a file for
 * writing, and cannot create, rename or remove anything, except directories and
 * sockets in the temporary directory (process/private-socket.h). Without
 * network they cannot make TCP connections, if the kernel can forbid that.
 * Descriptors that are open keep working. Does nothing where the kernel has no
 * Landlock, or a seccomp filter forbids it. Only while there is one thread.
 */
void confine_this_process(bool network);

/*
 * Once it is confined, this process may still create, rename and remove regular
 * files beneath a directory: it has opened a file there, which gets its name
 * when it is whole. A server may not. The descriptor must be open until
 * confine_this_process() is called.
 */
void confine_except_renames(int directory);

/*
 * Once it is confined, this process may still remove shared memory: as MPI does
 * with its own at the end. A server may not.
 */
void confine_except_shared_memory(void);

/*
 * In a child that is about to execute a server: it cannot write to any file,
 * not even in the temporary directory. Without network it cannot make sockets;
 * those that it inherits keep working. This takes a
 * seccomp filter, for what Landlock does not refuse. Returns 0, or a positive
 * errno value if the kernel does not take the filter.
 */
int confine_server(bool network);

/* In such a child, right before it executes the server: bound its memory. */
void bound_server_memory(void);

#endif
