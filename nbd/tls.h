/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who the server at the other end of nbds:// is: by which credentials this is
 * verified, and whether libnbd really verifies it.
 */
#ifndef NBD_TLS_H
#define NBD_TLS_H

#include <stdint.h>

#include "nbd/uri.h"
#include "nbd/nbd.h"

struct nbd_tls {
    const struct nbd_uri *uri;
    const char *psk_file; /* NULL: X.509 */
    const char *username; /* of the key; NULL: what the URI says */
    char *certificates;   /* a directory; NULL: the authorities of the system */
    bool verify;
};

/* Choose the credentials for a URI with TLS. The URI and the options must stay.
 * Free with nbd_tls_free(), after an error, too. */
int nbd_tls_choose(const struct nbd_uri *uri, const struct nbd_options *options,
                   struct nbd_tls *tls, struct error *error);
void nbd_tls_free(struct nbd_tls *tls);

/* Whether libnbd of that version will verify the server by them. */
int nbd_tls_check(const struct nbd_tls *tls, const char *version,
                  struct error *error);

/*
 * Better words for libnbd's reason why a connection failed, to be freed, or
 * NULL: there are none. Asks the server again where libnbd does not say what
 * is wrong with its certificate, for some milliseconds at most; -1: it decides.
 */
char *nbd_tls_explain(const struct nbd_tls *tls, const char *reason,
                      int64_t patience);

#endif
