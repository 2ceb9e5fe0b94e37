/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A read lease on a file: the kernel grants it while nobody has the file open
 * for writing, and tells when somebody wants to. That one waits until the lease
 * is given back, which the handler of SIGIO in lease.c does at once.
 *
 * The handler is installed with the first lease, for the whole process. It may
 * run in any thread that does not block SIGIO; leases are taken and given back
 * while there is one thread only.
 */
#ifndef READER_LEASE_H
#define READER_LEASE_H

#include <stdbool.h>

struct lease {
    int fd;
    struct lease *next;
};

/*
 * Take a lease, until lease_release(), which comes before fd is closed. EAGAIN:
 * somebody has the file open for writing. Another error: there is no lease,
 * because the file is another user's or its file system has none.
 */
int lease_take(struct lease *lease, int fd);

/* Whether somebody opened the file for writing since the lease was taken. */
bool lease_is_broken(const struct lease *lease);

void lease_release(struct lease *lease);

#endif
