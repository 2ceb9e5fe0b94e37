/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why libnbd refused the certificate of a server. libnbd itself does not tell.
 */
#ifndef NBD_CERTIFICATE_H
#define NBD_CERTIFICATE_H

#include <stdint.h>

#include "nbd/uri.h"

/* Whether libnbd's reason is that it refused the certificate. */
bool nbd_certificate_refused(const char *reason);

/* Whether libnbd's reason is that the server ended the connection. In TLS 1.3 a
 * server checks the certificate of the client only after the client's side of
 * the handshake is complete. */
bool nbd_certificate_cut_off(const char *reason);

/*
 * Connect to the server once more, verify its certificate by the authorities in
 * the directory (NULL: those of the system), and disconnect. This takes up to
 * so many milliseconds (-1: a few seconds). Returns what is wrong: words that
 * follow "the server's certificate"; never NULL.
 */
const char *nbd_certificate_problem(const struct nbd_uri *uri,
                                    const char *directory,
                                    int64_t milliseconds);

#endif
