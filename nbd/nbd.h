/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Exports of NBD servers.
 */
#ifndef NBD_NBD_H
#define NBD_NBD_H

#include "reader/reader.h"

#define NBD_MAX_CONNECTIONS 64
#define NBD_DEFAULT_CONNECTIONS 4

/* A server that is silent for longer does not come back: a disk gives up after
 * 30 seconds, a SAN's path after 120. */
#define NBD_DEFAULT_TIMEOUT 120

struct nbd_options {
    unsigned connections; /* at most; a server may allow only one */
    unsigned timeout;     /* seconds of silence while it owes an answer; 0:
                           * wait for ever */

    /* It is QEMU's: of a read that is answered in parts it reports no error,
     * but ends the connection. Other servers may refuse to answer at once. */
    bool answers_at_once;

    /* An image has the URI, the user did not type it: it may name no files of
     * this host, and gets no credentials. */
    bool recorded;

    /* TLS, for a URI that names no credentials. NULL: libnbd's defaults. */
    char *tls_certificates; /* a directory of X.509 files */
    char *tls_username;
    char *tls_psk_file;
    bool tls_trust_any; /* do not verify who the server is */
    char *tls_problem;  /* why these cannot be used, or NULL */
};

/* Whether a name is a URI of these: nbd, nbds, nbd+unix, nbds+unix,
 * nbd+vsock, nbds+vsock. */
bool nbd_is_uri(const char *name);

/* Connect to a server. Close with reader->ops->close(). */
int nbd_open_uri(const char *uri, const struct nbd_options *options,
                 struct reader **reader, struct error *error);

/*
 * Start a server by a command (a NULL ends it) with systemd's socket
 * activation, and connect to it. It ends when the reader is closed, or this
 * process is gone. Only from the first thread of the process, while it is
 * alone.
 */
int nbd_open_command(char *const *command, const char *name,
                     const struct nbd_options *options, struct reader **reader,
                     struct error *error);

#endif
