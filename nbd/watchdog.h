/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ends a connection whose server is silent in the handshake of TLS. Until that
 * is complete, libnbd asks GnuTLS again and again whether something came: it
 * keeps a core busy, and returns to nobody who looks at the clock until GnuTLS
 * gives up after 40 seconds. With a watchdog, the socket blocks, so libnbd
 * sleeps, and a thread wakes it at the deadline.
 *
 * The socket is known only after libnbd has connected it. A server on the same
 * machine can reply so fast that libnbd goes on to TLS meanwhile: then nobody
 * watches this first part.
 */
#ifndef NBD_WATCHDOG_H
#define NBD_WATCHDOG_H

#include <stdint.h>

struct nbd_watchdog;

/* Make a socket block, and shut it down at the deadline (common/deadline.h).
 * The socket may be closed meanwhile. Returns 0 or an errno value. */
int nbd_watchdog_start(int fd, int64_t deadline,
                       struct nbd_watchdog **watchdog);

/* Make the socket what it was, if it is open, and free the watchdog, which
 * becomes NULL. Nothing happens if there is none. Returns an errno value if the
 * socket still blocks, or 0. */
int nbd_watchdog_stop(struct nbd_watchdog **watchdog);

#endif
