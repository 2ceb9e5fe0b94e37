/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The handshake of a client with its server, by libnbd: from the connection to
 * the export.
 */
#ifndef NBD_HANDSHAKE_H
#define NBD_HANDSHAKE_H

#include "nbd/client.h"

struct nbd_handle;

struct nbd_handshake {
    const struct nbd_target *target;
    const char *bitmap; /* the name of its context, or NULL */
    unsigned number;    /* of the connection, for debug lines */
};

/* Start to connect. *nbd becomes libnbd's handle, to be closed also after an
 * error, or NULL. */
int nbd_handshake_start(const struct nbd_handshake *h, struct nbd_handle **nbd,
                        struct error *error);

/* Wait until the handshake is complete, or for the deadline
 * (common/deadline.h). */
int nbd_handshake_finish(const struct nbd_handshake *h, struct nbd_handle *nbd,
                         int64_t deadline, struct nbd_export *export,
                         struct error *error);

#endif
