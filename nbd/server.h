/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An NBD server that disksum starts for one image.
 */
#ifndef NBD_SERVER_H
#define NBD_SERVER_H

#include "nbd/nbd.h"

struct nbd_server;

struct nbd_server_options {
    char *const *command; /* ended by NULL */
    const char *package;  /* that has the command, for messages; or NULL */
    int error_fd;         /* its stderr */
    int stop_signal;      /* the signal that stops it */
    bool lends_terminal;  /* it may ask the user for a password */
    unsigned timeout;     /* seconds that it may take to start; 0: no limit */
    bool confined;        /* it must not write: process/confine.h */
    bool network;         /* if confined, it may still make connections */
    bool anonymous;       /* no variable may tell it who the user is */
    bool keeps_socket;    /* nbd_reader_connect() may be called */
};

/* Start a server with a listening socket, in a process group of its own. It is
 * stopped, with all that it started, by nbd_server_stop() and when this process
 * is gone. Only from the first thread of the process, while it is alone. */
int nbd_server_start(const struct nbd_server_options *options, const char *name,
                     struct nbd_server **server, struct error *error);

pid_t nbd_server_pid(const struct nbd_server *server);

/* The path of its socket, for this process. */
const char *nbd_server_socket(const struct nbd_server *server);

/* How the server ended, in words; NULL: it, or a process that it started, is
 * still there. For when a connection fails: a server that is about to end is
 * waited for. Valid as long as the server. For all threads. */
const char *nbd_server_exit_reason(struct nbd_server *server);

/* What the server has written that may explain a failed read; NULL: nothing is
 * known. Valid as long as the server. For all threads. */
const char *nbd_server_explanation(struct nbd_server *server);

void nbd_server_explain_by(struct nbd_server *server, char *(*explain)(int fd),
                           int fd);

/* No more connections will be made: remove the path of the socket, and take the
 * terminal back. */
void nbd_server_finish_connecting(struct nbd_server *server);

/* Stop it, and wait until it is gone. NULL is accepted. */
void nbd_server_stop(struct nbd_server *server);

/* Start a server and connect to it. It is stopped when the reader is closed. */
int nbd_open_server(const struct nbd_server_options *server, const char *name,
                    const struct nbd_options *options, struct reader **reader,
                    struct error *error);

/* Make another connection to the server of a reader, for another process. No
 * byte was exchanged yet. Returns a descriptor, or -1 and sets errno. */
int nbd_reader_connect(const struct reader *reader);

/* Explain failed reads by what the server of a reader writes to its stderr: fd
 * is the other end, which is closed with the reader. explain() reads it, and
 * returns a text that free() frees, or NULL. */
void nbd_reader_explain(const struct reader *reader, char *(*explain)(int fd),
                        int fd);

/* The server that nbd_open_server() started for a reader. */
const struct nbd_server *nbd_reader_server(const struct reader *reader);

#endif
