/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The credentials by which the server of an nbds:// URI is verified, and
 * whether libnbd really verifies it.
 */
#ifndef NBD_TLS_H
#define NBD_TLS_H

#include <stdint.h>

#include "nbd/uri.h"
#include "nbd/nbd.h"

struct nbd_tls {
    const struct nbd_uri *uri;
    const char *psk_file; /* NULL: X.509 */
    const char *username; /* of the key; NULL: libnbd takes the login name */
    char *certificates;   /* a directory; NULL: the CAs of the system */
    char *revoked;        /* the file of what they revoked; NULL: none */
    bool verify;
};

/* Choose the credentials for a URI with TLS. The URI and the options must stay
 * in place. Free with nbd_tls_free(), also after an error. */
int nbd_tls_choose(const struct nbd_uri *uri, const struct nbd_options *options,
                   struct nbd_tls *tls, struct error *error);
void nbd_tls_free(struct nbd_tls *tls);

/* An error if this version of libnbd would not verify the server by them. */
int nbd_tls_check(const struct nbd_tls *tls, const char *version,
                  struct error *error);

/* To be called before libnbd connects or goes on to connect in this thread, by
 * TLS with the credentials (NULL: without TLS): it shall fail if it cannot find
 * the certificates any more. */
void nbd_tls_expect(const struct nbd_tls *tls);

/*
 * A better reason than libnbd's why a connection failed, to be freed; NULL:
 * there is none. If libnbd only says that it refused the certificate of the
 * server, this connects to the server again, for up to so many milliseconds
 * (-1: a few seconds).
 */
char *nbd_tls_failure_reason(const struct nbd_tls *tls, const char *reason,
                             int64_t milliseconds);

#endif
