/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the parts of the client ask of libnbd's handle.
 */
#ifndef NBD_HANDLE_H
#define NBD_HANDLE_H

#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include <libnbd.h>

#include "common/debug.h"

/* An event of a connection with this number; the format is a literal. */
#define NBD_EVENT(number, format, ...)                                         \
    debug(DEBUG_NBD, "connection %u: " format, number, __VA_ARGS__)

/* Why the last call of libnbd in this thread failed: its text, without the name
 * of its function. */
static inline const char *nbd_handle_reason(void)
{
    const char *text = nbd_get_error();
    const char *colon;

    if (!text)
        return "unknown error";
    colon = strstr(text, ": ");
    if (strncmp(text, "nbd_", 4) == 0 && colon)
        text = colon + 2;
    return text;
}

static inline bool nbd_handle_is_ended(struct nbd_handle *nbd)
{
    return nbd_aio_is_dead(nbd) || nbd_aio_is_closed(nbd);
}

/* The events of its socket for which it waits, as poll() takes them. */
static inline short nbd_handle_events(struct nbd_handle *nbd)
{
    unsigned direction = nbd_aio_get_direction(nbd);

    return (direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
           (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0);
}

#endif
