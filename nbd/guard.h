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

#include "common/error.h"

/* A format for the seconds of --timeout. */
#define NBD_SILENT "the server does not answer (--timeout is %u s)"

struct nbd_guard {
    int64_t deadline; /* common/deadline.h */
    int fd;           /* the socket; to be set before each call of libnbd */
    int error;        /* ETIMEDOUT, EPROTO: too many replies; 0: all is well */

    bool verbose; /* print what libnbd says */
    unsigned steps;
};

/* The debug callback of libnbd, whose arg is the guard: count a step. When
 * there are too many, or the deadline has passed, end the connection and set
 * the error. */
int nbd_guard_step(void *arg, const char *context, const char *message);

/* A debug callback of libnbd that prints what it says as an event. libnbd
 * itself would print texts of the server as they are, which can drive a
 * terminal. */
int nbd_guard_print(void *unused, const char *context, const char *message);

/* Set the error "NAME: cannot connect: ...", for an error of a guard or of
 * poll(). The timeout is that of the options. Returns its code. */
int nbd_guard_failure(const char *name, unsigned timeout, int code,
                      struct error *error);

/* End the connection of a socket, and drop what was received but not read. */
void nbd_guard_cut(int fd);

#endif
