/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An NBD server that is started for one image.
 */
#ifndef READER_NBD_SERVER_H
#define READER_NBD_SERVER_H

#include "common/error.h"

struct nbd_server;

/* Start a server on a socket of its own. The child gets a signal when the
 * calling thread ends. */
int nbd_server_start(char *const *command, const char *name,
                     struct nbd_server **server, struct error *error);

/* The path of its socket. */
const char *nbd_server_socket(const struct nbd_server *server);

/* Connecting failed: if that is because the server ended, say so instead. */
void nbd_server_explain(struct nbd_server *server, const char *name,
                        struct error *error);

/* All connections are there: remove the socket. */
void nbd_server_hide(struct nbd_server *server);

/* End it, and wait for that. NULL is accepted. */
void nbd_server_stop(struct nbd_server *server);

#endif
