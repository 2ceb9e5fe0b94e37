/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The read_queue of an NBD export: reads in flight on a connection.
 */
#ifndef NBD_QUEUE_H
#define NBD_QUEUE_H

#include "nbd/connection.h"
#include "reader/reader.h"

/* Make a queue on a connection. Other queues may share the connection. 0 or
 * ENOMEM. */
int nbd_queue_new(struct nbd_connection *connection,
                  const struct nbd_export *export, struct read_queue **queue);

/* Read the rest of a read, waiting for it. The result is in the read. */
void nbd_queue_read(struct nbd_connection *connection,
                    const struct nbd_export *export, struct read *read);

#endif
