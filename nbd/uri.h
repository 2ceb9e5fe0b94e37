/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The URI of an NBD export, parsed as libnbd parses it. But libnbd gets only
 * its parts: there must be no doubt where it connects, and whether it verifies
 * the server depends on the URI.
 */
#ifndef NBD_URI_H
#define NBD_URI_H

#include <stdbool.h>

#include "common/error.h"

enum nbd_transport { NBD_TCP, NBD_UNIX, NBD_VSOCK };

struct nbd_uri {
    const char *text; /* the URI; owned by the caller */
    bool tls;
    enum nbd_transport transport;
    char *user; /* of TLS keys; NULL: not given */
    char *host; /* the name that the certificate must have; vsock: the CID */
    char *port;
    char *export; /* the name; "": the default export */

    /* The query parameters; NULL: not given. */
    char *socket;
    char *certificates; /* a directory of X.509 files */
    char *psk_file;
    char *verify_peer;
};

/*
 * Parse a URI for which is_nbd_uri() holds. A parameter that libnbd does not
 * know, and would ignore, is an error. Free with nbd_uri_free(), also after an
 * error.
 */
int nbd_uri_parse(const char *text, struct nbd_uri *uri, struct error *error);
void nbd_uri_free(struct nbd_uri *uri);

#endif
