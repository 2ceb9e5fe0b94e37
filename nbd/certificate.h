/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is wrong with the certificate of a server. libnbd refuses it, and does
 * not say why.
 */
#ifndef NBD_CERTIFICATE_H
#define NBD_CERTIFICATE_H

#include <stdint.h>

#include "nbd/uri.h"

/* Whether libnbd's reason is that. */
bool nbd_certificate_refused(const char *reason);

/* Whether a reason of libnbd says that the server ended the connection. By TLS
 * 1.3 it looks at our certificate when we think that all is well. */
bool nbd_certificate_cut_off(const char *reason);

/*
 * Connect to the server once more, by the authorities in the directory (NULL:
 * those of the system), and go away when the certificate came, or after the
 * milliseconds (-1: it decides). The words fit after "the server's
 * certificate"; never NULL.
 */
const char *nbd_certificate_problem(const struct nbd_uri *uri,
                                    const char *directory, int64_t patience);

#endif
