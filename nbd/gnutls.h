/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions of GnuTLS in whose place libnbd calls ours: to the dynamic linker,
 * a function of the program comes before one of a library.
 */
#ifndef NBD_GNUTLS_H
#define NBD_GNUTLS_H

#include <stdbool.h>
#include <stdint.h>

/* What libnbd must not do without, in this thread and from now on: authorities
 * that were named, in the place of those of the system; and what they revoked,
 * by this file (NULL: there is none), which must stay in place. A connection
 * for which it would do without fails. */
void nbd_gnutls_require(bool authorities, const char *revoked);

/* Why the file of what they revoked could not be read since, or NULL. */
const char *nbd_gnutls_revoked_error(void);

/* In between, a handshake of TLS in this thread sleeps until the server
 * replies, and fails at the deadline (common/deadline.h), and only then. */
void nbd_gnutls_begin_handshake(int64_t deadline);
void nbd_gnutls_end_handshake(void);

#endif
