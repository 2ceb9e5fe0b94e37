/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bounds on what a server can make libnbd do in the handshake. There the server
 * may send any number of replies, some of which libnbd stores, and libnbd does
 * not return while more bytes come.
 */
#ifndef NBD_GUARD_H
#define NBD_GUARD_H

#include <stdbool.h>
#include <stdint.h>

struct nbd_handle;

struct nbd_guard {
    int64_t deadline; /* common/deadline.h */
    int fd;           /* the socket; to be set before each call of libnbd */
    int error;        /* ETIMEDOUT, EPROTO: too many replies; 0: all is well */

    unsigned steps;
    bool verbose;
};

/* Guard the handshake of a handle until the deadline: when it has passed, or
 * when there are too many replies, end the connection and set the error. The
 * guard must stay in place until nbd_guard_stop(). */
void nbd_guard_start(struct nbd_guard *guard, struct nbd_handle *nbd,
                     int64_t deadline);
void nbd_guard_stop(const struct nbd_guard *guard, struct nbd_handle *nbd);

/* End the connection of a socket, and drop what was received but not read. */
void nbd_guard_cut(int fd);

#endif
