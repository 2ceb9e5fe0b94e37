/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A connection to an NBD server that threads share. Many requests can be in
 * flight, and any thread may start them and wait for them.
 */
#ifndef NBD_CONNECTION_H
#define NBD_CONNECTION_H

#include "nbd/client.h"

struct nbd_connection;

/* Start to connect. Several connections may be started before the first is
 * complete. The target must stay in place until then. */
int nbd_connection_begin(const struct nbd_target *target,
                         struct nbd_connection **connection,
                         struct error *error);

/* Wait until it is connected, or for the deadline (common/deadline.h). */
int nbd_connection_complete(struct nbd_connection *c, int64_t deadline,
                            struct nbd_export *export, struct error *error);

/* No request may be in flight. NULL is accepted. */
void nbd_connection_close(struct nbd_connection *c);

void nbd_connection_lock(struct nbd_connection *c);
void nbd_connection_unlock(struct nbd_connection *c);

/* --- with the lock -------------------------------------------------------- */

/* All callbacks of requests are called with the lock, too. */

/* Start a request. If that fails, its completion callback is called at once. */
void nbd_connection_read(struct nbd_connection *c, struct nbd_request *request,
                         void *buf, size_t len, uint64_t offset);
void nbd_connection_block_status(struct nbd_connection *c,
                                 struct nbd_block_status *status,
                                 uint64_t offset, uint64_t len);

/* Wait until *done, which a completion callback sets. The lock is released
 * meanwhile. */
void nbd_connection_wait(struct nbd_connection *c, const bool *done);

/* Why requests fail, where their errno value says too little; or NULL. Valid as
 * long as the connection. */
const char *nbd_connection_reason(const struct nbd_connection *c);

#endif
