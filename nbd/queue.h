/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads of an NBD export in flight.
 */
#ifndef NBD_QUEUE_H
#define NBD_QUEUE_H

#include "nbd/connection.h"

/* A queue on a connection, which others may use, too. */
int nbd_queue_new(struct nbd_connection *connection,
                  const struct nbd_export *export, struct read_queue **queue);

/* Read the rest of a read, waiting for it. The result is in the read. */
void nbd_queue_read(struct nbd_connection *connection,
                    const struct nbd_export *export, struct read *read);

#endif
