/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The reader of an NBD export.
 */
#ifndef NBD_NBD_H
#define NBD_NBD_H

#include "reader/reader.h"

#define NBD_MAX_CONNECTIONS 64
#define NBD_DEFAULT_CONNECTIONS 4

/* A server that is silent for longer does not come back: the kernel gives up a
 * disk after 30 seconds, and a SAN's path after 120. */
#define NBD_DEFAULT_TIMEOUT 120

struct nbd_options {
    unsigned connections; /* at most; a server may allow only one */
    unsigned timeout;     /* seconds that a server may be silent while it owes
                           * a reply; 0: wait forever */

    /* Set the DF flag: no fragments in read replies. For qemu-nbd, which ends
     * the connection when it cannot read a part of a fragmented reply. Other
     * servers may refuse long reads with this flag. */
    bool no_fragments;

    /* Do not ask where the holes are: all is data. Some servers do not know, or
     * take long to find out. */
    bool no_extents;

    /* The bitmap that the export must have, to be read by reader_ops.bitmap;
     * NULL: none. qemu-nbd exports those that -B names. */
    const char *bitmap;

    /* The URI is recorded in an image; the user did not type it. It may not
     * name files of this host, and gets no credentials. */
    bool recorded;

    /* TLS, for a URI that names no credentials. NULL: libnbd's defaults. */
    char *tls_certificates; /* a directory of X.509 files */
    char *tls_username;
    char *tls_psk_file;
    bool tls_trust_any; /* do not verify the server */
    char *tls_problem;  /* why these cannot be used, or NULL */
};

/* Whether a name is a URI with the scheme nbd, nbds, nbd+unix, nbds+unix,
 * nbd+vsock or nbds+vsock. */
bool is_nbd_uri(const char *name);

/* Connect to a server. Close with reader->ops->close(). */
int nbd_open_uri(const char *uri, const struct nbd_options *options,
                 struct reader **reader, struct error *error);

/*
 * Start a server by a command (ended by NULL) with systemd's socket activation,
 * and connect to it. It is stopped when the reader is closed or this process is
 * gone. Only from the first thread of the process, while it is alone.
 */
int nbd_open_command(char *const *command, const char *name,
                     const struct nbd_options *options, struct reader **reader,
                     struct error *error);

#endif
