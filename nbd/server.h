/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An NBD server that is started for one image.
 */
#ifndef NBD_SERVER_H
#define NBD_SERVER_H

#include "nbd/nbd.h"

struct nbd_server;

struct nbd_server_options {
    char *const *command; /* a NULL ends it */
    const char *package;  /* that has the command, for messages; NULL: not
                           * known */
    int error_fd;         /* its stderr */
    int stop_signal;      /* what it is stopped by */
    bool lends_terminal;  /* it may ask the user for a password */
    unsigned timeout;     /* seconds that it may take to start; 0: for ever */
    bool confined;        /* it may write to nothing: process/confine.h */
    bool network;         /* confined: but make connections */
    bool lends;           /* nbd_reader_connect() may be called */
};

/* Start a server on a socket of its own, in a process group of its own. It ends
 * with all that it started when it is stopped, and when this process is gone.
 * Only from the first thread of the process, while it is alone. */
int nbd_server_start(const struct nbd_server_options *options, const char *name,
                     struct nbd_server **server, struct error *error);

pid_t nbd_server_pid(const struct nbd_server *server);

/* A path to its socket, for this process. */
const char *nbd_server_socket(const struct nbd_server *server);

/* Connecting failed: if that is because the server ended, and all that it
 * started, say so instead. */
void nbd_server_explain(struct nbd_server *server, const char *name,
                        struct error *error);

/* All connections are there, or failed: forget the socket, and take back the
 * terminal. */
void nbd_server_hide(struct nbd_server *server);

/* End it, and wait for that. NULL is accepted. */
void nbd_server_stop(struct nbd_server *server);

/* Start a server and connect to it; it ends when the reader is closed. */
int nbd_open_server(const struct nbd_server_options *server, const char *name,
                    const struct nbd_options *options, struct reader **reader,
                    struct error *error);

/* Another connection to the server of a reader, for somebody else: a descriptor
 * that nothing was sent to yet. -1: errno says why not. */
int nbd_reader_connect(const struct reader *reader);

/* What nbd_open_server() started for a reader. */
const struct nbd_server *nbd_reader_server(const struct reader *reader);

#endif
