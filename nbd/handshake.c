/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nbd/handshake.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#include <libnbd.h>

#include "common/deadline.h"
#include "common/debug.h"
#include "nbd/gnutls.h"
#include "nbd/guard.h"
#include "nbd/handle.h"

static int connect_error(const struct nbd_handshake *h, struct error *error)
{
    const struct nbd_target *target = h->target;
    unsigned seconds = target->options->timeout;
    int err = nbd_get_errno();
    char *better = NULL;

    if (target->tls && !target->quiet)
        better = nbd_tls_failure_reason(target->tls, nbd_handle_reason(),
                                        seconds ? (int64_t)seconds * 1000 : -1);
    err = error_set(error, err ? err : EPROTO, "%s: cannot connect: %s",
                    target->name, better ? better : nbd_handle_reason());
    free(better);
    return err;
}

/* --- connection ---------------------------------------------------------- */

static int set_tls(struct nbd_handle *nbd, const struct nbd_tls *tls)
{
    if (nbd_set_tls(nbd, tls ? LIBNBD_TLS_REQUIRE : LIBNBD_TLS_DISABLE) == -1)
        return -1;
    if (!tls)
        return 0;
    if (tls->certificates &&
        nbd_set_tls_certificates(nbd, tls->certificates) == -1)
        return -1;
    if (tls->username && nbd_set_tls_username(nbd, tls->username) == -1)
        return -1;
    if (tls->psk_file && nbd_set_tls_psk_file(nbd, tls->psk_file) == -1)
        return -1;
    return nbd_set_tls_verify_peer(nbd, tls->verify);
}

static int set_options(const struct nbd_handshake *h, struct nbd_handle *nbd)
{
    const struct nbd_target *target = h->target;

    /* There is no need to clear the buffer of a read: what was not read is not
     * used. The last block of an export may be short: it is up to the server
     * whether it can be read. */
    if (nbd_set_pread_initialize(nbd, false) == -1 ||
        nbd_set_strict_mode(nbd, nbd_get_strict_mode(nbd) &
                                     ~LIBNBD_STRICT_ALIGN) == -1 ||
        (!target->options->no_extents &&
         nbd_add_meta_context(nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) == -1) ||
        (h->bitmap && nbd_add_meta_context(nbd, h->bitmap) == -1))
        return -1;
    return set_tls(nbd, target->tls);
}

/* The user wants to see what libnbd says. */
static void print_debug(struct nbd_handle *nbd)
{
    nbd_debug_callback callback = { .callback = nbd_guard_print };

    nbd_set_debug_callback(nbd, callback);
}

/* libnbd could parse the URI, too, but by libxml2, which without memory leaves
 * parts out, and goes on: the server would be another. */
static int connect_to(struct nbd_handle *nbd, const struct nbd_uri *uri)
{
    if (nbd_set_export_name(nbd, uri->export) == -1)
        return -1;
    switch (uri->transport) {
    case NBD_UNIX:
        return nbd_aio_connect_unix(nbd, uri->socket);
    case NBD_VSOCK:
        return nbd_aio_connect_vsock(nbd, strtoul(uri->host, NULL, 10),
                                     strtoul(uri->port, NULL, 10));
    case NBD_TCP:
        break;
    }
    return nbd_aio_connect_tcp(nbd, uri->host, uri->port);
}

int nbd_handshake_start(const struct nbd_handshake *h,
                        struct nbd_handle **handle, struct error *error)
{
    const struct nbd_target *target = h->target;
    struct nbd_handle *nbd = nbd_create();
    int r;

    nbd_tls_expect(target->tls);
    *handle = nbd;
    if (!nbd)
        return connect_error(h, error);
    if (nbd_get_debug(nbd) == 1) /* LIBNBD_DEBUG=1 */
        print_debug(nbd);
    if (target->tls && nbd_tls_check(target->tls, nbd_get_version(nbd), error))
        return error->code;
    if (set_options(h, nbd) == -1)
        return connect_error(h, error);
    if (target->uri)
        r = connect_to(nbd, target->uri);
    else
        r = nbd_aio_connect_unix(nbd, target->socket);
    return r == -1 ? connect_error(h, error) : 0;
}

/* --- export -------------------------------------------------------------- */

static bool has_context(struct nbd_handle *nbd, const char *name)
{
    return nbd_can_meta_context(nbd, name) == 1;
}

static void debug_handshake(const struct nbd_handshake *h,
                            struct nbd_handle *nbd)
{
    bool bitmap = h->bitmap && has_context(nbd, h->bitmap);

    if (!debug_is_on(DEBUG_NBD))
        return;
    NBD_EVENT(
        h->number,
        "connected: %" PRId64 " bytes; block sizes: minimum %" PRId64
        ", preferred %" PRId64 ", maximum %" PRId64 "; flags:%s%s%s%s%s%s%s",
        nbd_get_size(nbd), nbd_get_block_size(nbd, LIBNBD_SIZE_MINIMUM),
        nbd_get_block_size(nbd, LIBNBD_SIZE_PREFERRED),
        nbd_get_block_size(nbd, LIBNBD_SIZE_MAXIMUM),
        nbd_get_tls_negotiated(nbd) == 1 ? " tls" : "",
        nbd_get_structured_replies_negotiated(nbd) == 1 ? " structured-replies"
                                                        : "",
        nbd_can_df(nbd) == 1 ? " df" : "",
        nbd_can_multi_conn(nbd) == 1 ? " multi-conn" : "",
        has_context(nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) ? " base:allocation"
                                                         : "",
        bitmap ? " " : "", bitmap ? h->bitmap : "");
}

static int get_export(const struct nbd_handshake *h, struct nbd_handle *nbd,
                      struct nbd_export *export, struct error *error)
{
    int64_t size = nbd_get_size(nbd);

    if (size < 0)
        return error_set(
            error, EFBIG,
            "%s: cannot connect: the export is larger than 2^63 - 1 "
            "bytes, or the server does not report its size",
            h->target->name);
    if (h->bitmap && !has_context(nbd, h->bitmap))
        return error_set(error, ENOENT,
                         "%s: the server has no bitmap '%s' of this export (no "
                         "metadata context '%s')",
                         h->target->name, h->target->options->bitmap,
                         h->bitmap);
    *export = (struct nbd_export){
        .size = size,
        .has_extents = has_context(nbd, LIBNBD_CONTEXT_BASE_ALLOCATION),
        .multi_conn = nbd_can_multi_conn(nbd) == 1,
    };
    nbd_export_set_block_sizes(export,
                               nbd_get_block_size(nbd, LIBNBD_SIZE_MINIMUM),
                               nbd_get_block_size(nbd, LIBNBD_SIZE_MAXIMUM));
    return 0;
}

/* --- steps --------------------------------------------------------------- */

static void start_guard(struct nbd_handle *nbd, struct nbd_guard *guard,
                        int64_t deadline)
{
    nbd_debug_callback callback = { .callback = nbd_guard_step,
                                    .user_data = guard };

    *guard = (struct nbd_guard){
        .deadline = deadline,
        .fd = -1,
        .verbose = nbd_get_debug(nbd) == 1,
    };
    nbd_set_debug_callback(nbd, callback);
    nbd_set_debug(nbd, true);
}

static void stop_guard(struct nbd_handle *nbd, const struct nbd_guard *guard)
{
    nbd_set_debug(nbd, guard->verbose);
    if (guard->verbose)
        print_debug(nbd);
    else
        nbd_clear_debug_callback(nbd);
}

/* Unlike nbd_poll(), let libnbd receive also when poll() reports an error
 * alone: so its reason is that of the socket or of TLS. */
static int shake_hands(const struct nbd_handshake *h, struct nbd_handle *nbd,
                       struct nbd_guard *guard, struct error *error)
{
    while (!nbd_aio_is_ready(nbd)) {
        short wanted;
        int err, r = 0;

        if (nbd_handle_is_ended(nbd))
            return connect_error(h, error);
        wanted = nbd_handle_events(nbd);
        guard->fd = nbd_aio_get_fd(nbd);
        err = deadline_poll(guard->fd, wanted, guard->deadline);
        if (!err) {
            r = wanted & POLLIN ? nbd_aio_notify_read(nbd)
                                : nbd_aio_notify_write(nbd);
            err = guard->error;
        }
        if (err)
            return nbd_guard_failure(h->target->name,
                                     h->target->options->timeout, err, error);
        if (r == -1)
            return connect_error(h, error);
    }
    return 0;
}

int nbd_handshake_finish(const struct nbd_handshake *h, struct nbd_handle *nbd,
                         int64_t deadline, struct nbd_export *export,
                         struct error *error)
{
    struct nbd_guard guard;
    int err;

    nbd_tls_expect(h->target->tls);
    start_guard(nbd, &guard, deadline);
    nbd_gnutls_begin_handshake(deadline);
    err = shake_hands(h, nbd, &guard, error);
    nbd_gnutls_end_handshake();
    stop_guard(nbd, &guard);
    if (err)
        return err;
    debug_handshake(h, nbd);
    return get_export(h, nbd, export, error);
}
