/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nbd/gnutls.h"

#include <dlfcn.h>
#include <stddef.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "common/deadline.h"

/* --- credentials -------------------------------------------------------- */

static _Thread_local bool trusts_no_system;
static _Thread_local const char *revoked_file;
static _Thread_local int revoked_error; /* of GnuTLS */

void nbd_gnutls_require(bool authorities, const char *revoked)
{
    trusts_no_system = authorities;
    revoked_file = revoked;
    revoked_error = 0;
}

const char *nbd_gnutls_revoked_error(void)
{
    return revoked_error ? gnutls_strerror(revoked_error) : NULL;
}

/*
 * libnbd calls this if it cannot access the CA certificate of the directory
 * that it was given, for whatever reason: the file is being replaced, or a
 * server of files does not answer. Then it trusts the authorities of the system
 * instead, and before 1.18.5 and 1.20.3 it does not even verify the server. To
 * fail here is what stops it.
 */
int gnutls_certificate_set_x509_system_trust(
    gnutls_certificate_credentials_t credentials)
{
    gnutls_x509_trust_list_t list;

    if (trusts_no_system)
        return GNUTLS_E_NO_CERTIFICATE_FOUND;
    gnutls_certificate_get_trust_list(credentials, &list);
    return gnutls_x509_trust_list_add_system_trust(
        list, GNUTLS_TL_USE_IN_TLS | GNUTLS_TL_NO_DUPLICATES, 0);
}

/* Returns 0, or an error of GnuTLS if the list did not take all of them. They
 * all count, also if a later one of the same name is newer: it may be of
 * another authority. */
static int add_revoked(gnutls_x509_trust_list_t list, const char *path,
                       gnutls_x509_crt_fmt_t format)
{
    gnutls_x509_crl_t *crls;
    gnutls_datum_t text;
    unsigned count;
    int added, r = gnutls_load_file(path, &text);

    if (r < 0)
        return r;
    r = gnutls_x509_crl_list_import2(&crls, &count, &text, format, 0);
    gnutls_free(text.data);
    if (r < 0)
        return r;
    added = gnutls_x509_trust_list_add_crls(list, crls, count, 0, 0);
    for (unsigned i = added < 0 ? 0 : (unsigned)added; i < count; i++)
        gnutls_x509_crl_deinit(crls[i]);
    gnutls_free(crls);
    return added == (int)count ? 0 : GNUTLS_E_MEMORY_ERROR;
}

/* libnbd calls this before it looks for the file of what was revoked, without
 * which it goes on, as GnuTLS does if it has no memory for what is in it. */
int gnutls_certificate_set_x509_trust_file(
    gnutls_certificate_credentials_t credentials, const char *path,
    gnutls_x509_crt_fmt_t format)
{
    gnutls_x509_trust_list_t list;
    int r;

    gnutls_certificate_get_trust_list(credentials, &list);
    if (revoked_file) {
        revoked_error = add_revoked(list, revoked_file, GNUTLS_X509_FMT_PEM);
        if (revoked_error)
            return revoked_error;
    }
    r = gnutls_x509_trust_list_add_trust_file(list, path, NULL, format,
                                              GNUTLS_TL_USE_IN_TLS, 0);
    return r == GNUTLS_E_NO_CERTIFICATE_FOUND ? 0 : r; /* as GnuTLS does */
}

int gnutls_certificate_set_x509_crl_file(
    gnutls_certificate_credentials_t credentials, const char *path,
    gnutls_x509_crt_fmt_t format)
{
    gnutls_x509_trust_list_t list;

    if (revoked_file) /* it is there already */
        return 0;
    gnutls_certificate_get_trust_list(credentials, &list);
    return add_revoked(list, path, format);
}

/* --- the handshake ------------------------------------------------------ */

static _Thread_local bool handshake_waits;
static _Thread_local int64_t handshake_deadline;

void nbd_gnutls_begin_handshake(int64_t deadline)
{
    handshake_waits = true;
    handshake_deadline = deadline;
}

void nbd_gnutls_end_handshake(void)
{
    handshake_waits = false;
}

/* Until the handshake is complete, libnbd calls this again and again: it would
 * keep a core busy while the server is silent, and return to nobody who looks
 * at the clock until GnuTLS gives up after 40 seconds, which may be too early,
 * too. */
int gnutls_handshake(gnutls_session_t session)
{
    int (*real)(gnutls_session_t) = dlsym(RTLD_NEXT, "gnutls_handshake");
    int err, r;

    if (!real)
        return GNUTLS_E_UNIMPLEMENTED_FEATURE;
    if (handshake_waits)
        gnutls_handshake_set_timeout(session, 0);
    r = real(session);
    if (r != GNUTLS_E_AGAIN || !handshake_waits)
        return r;
    err = deadline_poll(gnutls_transport_get_int(session),
                        gnutls_record_get_direction(session) == 1 ? POLLOUT
                                                                  : POLLIN,
                        handshake_deadline);
    /* If nobody can look at the clock, nobody may wait. */
    return !err               ? r
           : err == ETIMEDOUT ? GNUTLS_E_TIMEDOUT
                              : GNUTLS_E_MEMORY_ERROR;
}
