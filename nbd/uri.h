/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The URI of an NBD export, taken apart as libnbd does it: what of it decides
 * whether a server is verified must be known before libnbd connects.
 */
#ifndef NBD_URI_H
#define NBD_URI_H

#include <stdbool.h>

#include "common/error.h"

enum nbd_transport { NBD_TCP, NBD_UNIX, NBD_VSOCK };

struct nbd_uri {
    const char *text; /* of the caller */
    bool tls;
    enum nbd_transport transport;
    bool has_user;
    char *host; /* the server that TCP reaches, whose name is verified */
    char *port;

    /* The query parameters; NULL where the URI has none. */
    char *socket;
    char *certificates; /* a directory of X.509 files */
    char *psk_file;
    char *verify_peer;
};

/*
 * Take a URI apart, for which nbd_is_uri() holds. Parameters that libnbd does
 * not know are an error: it would ignore them. Free with nbd_uri_free(), after
 * an error, too.
 */
int nbd_uri_parse(const char *text, struct nbd_uri *uri, struct error *error);
void nbd_uri_free(struct nbd_uri *uri);

#endif
