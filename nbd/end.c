/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nbd/end.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/debug.h"
#include "nbd/certificate.h"
#include "nbd/guard.h"
#include "nbd/server.h"

#define VIOLATION "the server violated the NBD protocol: "

static void set(struct nbd_end *end, int err, char *reason)
{
    assert(!end->error && err);
    end->error = err;
    end->reason = reason;
    debug(DEBUG_NBD, "connection %u: ended: %s", end->number,
          reason ? reason : strerror(err));
}

/* A text that is made by asprintf(), or NULL. */
static char *violation(const char *what)
{
    char *reason;

    return asprintf(&reason, VIOLATION "%s", what) < 0 ? NULL : reason;
}

/* In words, or NULL. For a violation of the protocol libnbd has a text, but no
 * errno value. */
static char *reason_of_libnbd(const struct nbd_end *end, int err,
                              const char *text)
{
    const char *exit = end->server ? nbd_server_exit_reason(end->server) : NULL;

    if (exit)
        return strdup(exit);
    return text && !err && !nbd_certificate_cut_off(text) ? violation(text)
                                                          : NULL;
}

void nbd_end_in_libnbd(struct nbd_end *end, int err, const char *text)
{
    char *reason = reason_of_libnbd(end, err, text);

    /* Which of these it is depends on whether a read or a write came first. */
    if (err == 0 || err == ENOTCONN || err == EPIPE)
        err = reason ? EPROTO : ECONNRESET;
    set(end, err, reason);
}

void nbd_end_for_silence(struct nbd_end *end, unsigned seconds)
{
    char *reason;

    if (asprintf(&reason, NBD_SILENT, seconds) < 0)
        reason = NULL;
    set(end, ETIMEDOUT, reason);
}

void nbd_end_for_violation(struct nbd_end *end, const char *what)
{
    set(end, EPROTO, violation(what));
}

void nbd_end_for_failure(struct nbd_end *end, int err)
{
    set(end, err, NULL);
}

const char *nbd_end_reason(const struct nbd_end *end)
{
    if (end->error || !end->server)
        return end->reason;
    return nbd_server_explanation(end->server);
}

void nbd_end_free(struct nbd_end *end)
{
    free(end->reason);
}
