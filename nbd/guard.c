/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * While it runs its state machine, libnbd calls only the debug callback: once
 * or more for each reply. So the guard is a debug callback. Afterwards there is
 * none, since it costs time.
 */
#include "nbd/guard.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/deadline.h"
#include "common/debug.h"

/* A handshake takes about 100 steps. Some five are taken for each metadata
 * context, which libnbd stores with a name of up to 4 KiB: this many are less
 * than 4 MiB. */
#define MAX_STEPS 4000

int nbd_guard_print(void *unused, const char *context, const char *message)
{
    (void)unused;
    debug_event(DEBUG_NBD, "libnbd: %s: %s", context, message);
    return 0;
}

int nbd_guard_step(void *arg, const char *context, const char *message)
{
    struct nbd_guard *guard = arg;

    if (guard->verbose)
        nbd_guard_print(NULL, context, message);
    if (guard->error)
        return 0;
    if (++guard->steps > MAX_STEPS)
        guard->error = EPROTO;
    else if (deadline_left(guard->deadline) == 0)
        guard->error = ETIMEDOUT;
    if (guard->error)
        nbd_guard_cut(guard->fd);
    return 0;
}

int nbd_guard_failure(const char *name, unsigned timeout, int code,
                      struct error *error)
{
    if (code == ETIMEDOUT)
        return error_set(error, code, "%s: cannot connect: " NBD_SILENT, name,
                         timeout);
    if (code != EPROTO)
        return error_set(error, code, "%s: cannot connect: %s", name,
                         strerror(code));
    return error_set(error, code,
                     "%s: cannot connect: too many replies in the handshake",
                     name);
}

void nbd_guard_cut(int fd)
{
    char buf[16 * 1024];

    if (fd < 0)
        return;
    shutdown(fd, SHUT_RDWR);
    while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
        ;
}
