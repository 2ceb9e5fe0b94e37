/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A read lease on a file: the kernel grants it while no process has the file
 * open for writing, and sends SIGIO when a process opens it for writing. That
 * process waits until the lease is released, which the signal handler in
 * lease.c does at once.
 *
 * The handler is installed with the first lease, for the whole process. It may
 * run in any thread that does not block SIGIO. Leases are taken and released
 * while the process has one thread.
 */
#ifndef READER_LEASE_H
#define READER_LEASE_H

#include <stdbool.h>

struct lease {
    int fd;
    struct lease *next;
};

/*
 * Take a lease; release it before fd is closed. EAGAIN: another process has the
 * file open for writing. Other errors: no lease is possible, because the file
 * belongs to another user, or its file system has no leases.
 */
int lease_take(struct lease *lease, int fd);

/* Find whether a process opened the file for writing since the lease was taken.
 * Returns 0 or a positive errno value. */
int lease_check(const struct lease *lease, bool *broken);

void lease_release(struct lease *lease);

#endif
